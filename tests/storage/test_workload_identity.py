"""A pod's identity in place of keys: what is said when the token service gives none.

That it gives some is shown where pods have real tokens: in the tests on a cluster.
"""

from datetime import timedelta
from pathlib import Path

import pytest

from tests.harness.token_service import token_service
from tests.harness.versitygw import S3Server, free_port
from trainjobs.errors import AccessDenied, StorageUnavailable, TrainjobsError
from trainjobs.storage.keys import find_keys
from trainjobs.storage.opening import open_store


@pytest.fixture
def token(s3_environment: S3Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The file of a token, which the environment names in place of keys, as a cloud's webhook leaves it."""
    file = tmp_path / "token"
    file.write_text("header.of-a-token.signature")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::000000000000:role/trainer")
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(file))
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", f"http://127.0.0.1:{free_port()}")
    return file


def refusal(server: S3Server, error: type[TrainjobsError]) -> str:
    with pytest.raises(error) as caught:
        open_store(server.make_bucket("identity"), settings=server.settings)
    line = str(caught.value)
    assert "s3://identity" in line
    assert "no keys from the pod's web identity" in line
    assert "\n" not in line
    return line


def test_keys_are_not_kept_longer_than_botocore_lets_them_last(token: Path):
    provider = find_keys("identity", None).provider
    left = provider.credentials._mandatory_refresh_timeout
    assert provider.ttl <= timedelta(seconds=left)


def test_a_token_that_is_refused_is_told_in_the_services_words(
    s3_environment: S3Server, token: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    with token_service(tmp_path / "iam") as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", url)
        line = refusal(s3_environment, AccessDenied)
    assert "InvalidIdentityToken" in line
    assert "check the role, and whom it trusts" in line
    assert token.read_text() not in line


def test_a_token_that_is_not_there_is_named(s3_environment: S3Server, token: Path):
    token.unlink()
    assert str(token) in refusal(s3_environment, AccessDenied)


def test_a_token_service_that_is_away_is_not_taken_for_a_refusal(s3_environment: S3Server, token: Path):
    assert "Could not connect" in refusal(s3_environment, StorageUnavailable)
