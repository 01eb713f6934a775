"""What is said, and how soon, when S3 is not there, not allowed, or goes away in the middle."""

import os
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.harness.attempts import begin
from tests.harness.tls import TLS, make_certificate
from tests.harness.versitygw import S3Server, free_port, s3_server
from trainjobs.core.checkpoints.layout import CheckpointRef
from trainjobs.errors import (
    AccessDenied,
    InvalidRecipe,
    StorageUnavailable,
    StorageUnusable,
    TrainjobsError,
)
from trainjobs.storage.checkpoints import CheckpointStore
from trainjobs.storage.opening import open_store
from trainjobs.storage.settings import MIB, StorageSettings


def refusal(uri: str, settings: StorageSettings, error: type[TrainjobsError]) -> str:
    """Open storage that must be refused; return the one line that is said."""
    with pytest.raises(error) as caught:
        open_store(uri, settings=settings)
    line = str(caught.value)
    assert "\n" not in line
    assert len(line) < 400
    return line


def test_wrong_keys_are_denied_naming_the_bucket_and_where_they_come_from(
    s3_environment: S3Server, monkeypatch: pytest.MonkeyPatch
):
    uri = s3_environment.make_bucket("wrong-keys")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-the-secret")
    line = refusal(uri, s3_environment.settings, AccessDenied)
    assert "s3://wrong-keys" in line
    assert "SignatureDoesNotMatch" in line
    assert "AWS_ACCESS_KEY_ID" in line
    assert "not-the-secret" not in line
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "nobody")
    assert "access denied" in refusal(uri, s3_environment.settings, AccessDenied)


def test_keys_of_a_profile_are_named_as_such(
    s3_environment: S3Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    uri = s3_environment.make_bucket("profile")
    keys = tmp_path / "credentials"
    keys.write_text("[default]\naws_access_key_id = nobody\naws_secret_access_key = wrong\n")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(keys))
    assert "shared credentials file" in refusal(uri, s3_environment.settings, AccessDenied)


def test_no_keys_at_all_is_said_with_what_to_set(s3_environment: S3Server, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    line = refusal("s3://any", s3_environment.settings, AccessDenied)
    assert "no S3 keys found" in line
    assert "AWS_SECRET_ACCESS_KEY" in line


def test_a_bucket_that_is_not_there_is_named(s3_environment: S3Server):
    line = refusal("s3://no-such-bucket/runs", s3_environment.settings, StorageUnusable)
    assert "there is no bucket 'no-such-bucket'" in line


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that accepts connections and never answers."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(64)
        yield listener.getsockname()[1]


def test_an_unreachable_endpoint_is_named_and_not_waited_for_long(s3_environment: S3Server, silent_port: int):
    expected = {
        f"http://127.0.0.1:{free_port()}": "connection refused",
        f"http://127.0.0.1:{silent_port}": "no answer in time",
        "http://storage.invalid": "",
    }
    for endpoint, cause in expected.items():
        begun = time.monotonic()
        line = refusal("s3://bucket", replace(s3_environment.settings, endpoint=endpoint), StorageUnavailable)
        # Eight seconds are what it allows itself; an outage in the middle is waited for five minutes.
        assert time.monotonic() - begun < 60
        assert f"s3://bucket at {endpoint}: cannot be reached" in line
        assert cause in line


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("gs://bucket", "give file:///path, s3://bucket/path"),
        ("hf://organisation/name", "use s3://bucket/prefix or file:///folder"),
        ("/just/a/path", "give file:///path, s3://bucket/path"),
        ("s3://", "name a bucket"),
        ("s3://key:secret@bucket", "name a bucket"),
        ("s3://bucket/a/../../b", "must not contain"),
        ("file://relative/path", "give an absolute path"),
        ("file:///a/../b", "must not contain"),
    ],
)
def test_a_wrong_uri_is_refused(uri: str, message: str):
    assert message in refusal(uri, StorageSettings(), InvalidRecipe)


@pytest.fixture
def own_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Server]:
    """A server that a test may kill."""
    with s3_server(tmp_path / "own" / "buckets") as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        yield server


def settings_of(server: S3Server, *, retry_seconds: float) -> StorageSettings:
    return replace(
        server.settings,
        part_bytes=5 * MIB,
        memory_bytes=20 * MIB,
        retry_seconds=retry_seconds,
        start_seconds=4,
    )


def write_checkpoint(folder: Path, files: int, size: int) -> dict[str, bytes]:
    folder.mkdir()
    data = {f"{index}.bin": os.urandom(size) for index in range(files)}
    for name, content in data.items():
        (folder / name).write_bytes(content)
    return data


def when_uploading(server: S3Server, bucket: str) -> None:
    """Wait until parts of a multipart upload lie on the server."""
    deadline = time.monotonic() + 120
    while not any((server.folder / bucket / ".sgwtmp").rglob("*/1")):
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_a_server_killed_in_the_middle_of_an_upload_and_started_again_gets_all_of_it(
    own_server: S3Server, tmp_path: Path
):
    uri = own_server.make_bucket("outage")
    run = CheckpointStore(open_store(uri, settings=settings_of(own_server, retry_seconds=60)).at("run"))
    begin(run, 1, "job", "pod")
    data = write_checkpoint(tmp_path / "source", files=4, size=40 * MIB)
    failures: list[BaseException] = []

    def save() -> None:
        try:
            run.save(tmp_path / "source", step=100, attempt=1)
        except TrainjobsError as error:
            failures.append(error)

    upload = threading.Thread(target=save)
    upload.start()
    when_uploading(own_server, "outage")
    own_server.kill()
    assert upload.is_alive()
    time.sleep(1)
    own_server.start()
    upload.join()
    assert failures == []
    assert run.verify() == ()
    run.restore(CheckpointRef(100, 1), tmp_path / "back")
    assert {name: (tmp_path / "back" / name).read_bytes() for name in data} == data


def test_an_outage_that_lasts_ends_in_one_line_and_the_complete_checkpoint_stays_whole(
    own_server: S3Server, tmp_path: Path
):
    uri = own_server.make_bucket("outage")
    run = CheckpointStore(open_store(uri, settings=settings_of(own_server, retry_seconds=2)).at("run"))
    begin(run, 1, "job", "pod")
    data = write_checkpoint(tmp_path / "first", files=2, size=6 * MIB)
    run.save(tmp_path / "first", step=100, attempt=1)
    write_checkpoint(tmp_path / "second", files=4, size=40 * MIB)
    killer = threading.Thread(target=lambda: (when_uploading(own_server, "outage"), own_server.kill()))
    killer.start()
    with pytest.raises(StorageUnavailable, match=f"at {own_server.endpoint}: cannot be reached") as caught:
        run.save(tmp_path / "second", step=200, attempt=1)
    killer.join()
    assert "\n" not in str(caught.value)
    own_server.start()
    assert list(run.complete()) == [CheckpointRef(100, 1)]
    run.restore(CheckpointRef(100, 1), tmp_path / "back")
    assert {name: (tmp_path / "back" / name).read_bytes() for name in data} == data
    # The same save, tried again once storage is back, completes.
    run.save(tmp_path / "second", step=200, attempt=1)
    assert CheckpointRef(200, 1) in run.complete()
    assert run.verify() == ()


def test_an_outage_in_the_middle_of_a_download_is_bridged(own_server: S3Server, tmp_path: Path):
    uri = own_server.make_bucket("outage")
    store = open_store(uri, settings=settings_of(own_server, retry_seconds=60))
    data = os.urandom(60 * MIB)
    (tmp_path / "file").write_bytes(data)
    digest = store.put_file("file", str(tmp_path / "file"))
    download = threading.Thread(target=store.get_file, args=("file", str(tmp_path / "back"), digest))
    download.start()
    while not any(path.stat().st_size for path in tmp_path.glob(".back.*.partial")):
        time.sleep(0.001)
    own_server.kill()
    assert not (tmp_path / "back").exists()
    own_server.start()
    download.join()
    assert (tmp_path / "back").read_bytes() == data


def test_an_object_replaced_while_it_is_read_is_not_mixed(s3_environment: S3Server, tmp_path: Path):
    uri = s3_environment.make_bucket("replaced")
    store_settings = settings_of(s3_environment, retry_seconds=5)
    store = open_store(uri, settings=store_settings)
    (tmp_path / "old").write_bytes(b"o" * 30 * MIB)
    (tmp_path / "new").write_bytes(b"n" * 30 * MIB)
    store.put_file("file", str(tmp_path / "old"))
    chunks = store._chunks("file")
    assert bytes(next(chunks)[:1]) == b"o"
    other = open_store(uri, settings=store_settings)
    other.put_file("file", str(tmp_path / "new"))
    seen: list[bytes] = []
    with pytest.raises(StorageUnusable, match="412"):
        seen.extend(bytes(chunk[:1]) for chunk in chunks)
    assert b"n" not in seen
    assert store.budget.in_use == 0


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> TLS:
    """A certificate for 127.0.0.1 that nobody trusts yet, and its key."""
    return make_certificate(tmp_path_factory.mktemp("tls"))


def test_a_private_certificate_is_trusted_only_when_named(
    certificate: TLS, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    with s3_server(tmp_path / "buckets", certificate) as server:
        uri = server.make_bucket("private")
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        line = refusal(uri, server.settings, StorageUnusable)
        assert "its certificate is not trusted; name the CA's file in AWS_CA_BUNDLE" in line
        store = open_store(uri, settings=replace(server.settings, ca_bundle=str(certificate.authority)))
        store.put("x", b"1")
        assert store.get("x") == b"1"
        missing = replace(server.settings, ca_bundle="/nowhere.pem")
        assert "AWS_CA_BUNDLE: /nowhere.pem: No such file" in refusal(uri, missing, InvalidRecipe)
