"""No secret is shown: of variables or files, as it is or was, whole or in pieces, plain or encoded."""

import json
from itertools import pairwise
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.harness.mounted_keys import write_secret
from trainjobs.agent.secrets import Secrets, Veil

SECRETS = st.text(st.sampled_from('ab/"é'), min_size=8, max_size=12)


def test_keys_that_are_replaced_are_hidden_before_and_afterwards(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    write_secret(keys, "1", AWS_SECRET_ACCESS_KEY="secret-1", AWS_SESSION_TOKEN="token-of-1")
    secrets = Secrets({"TRAINJOBS_STORAGE_KEYS": str(keys)})
    assert secrets.hide("secret-1 token-of-1 token-of-2") == "*** *** token-of-2"
    write_secret(keys, "2", AWS_SECRET_ACCESS_KEY="secret-2", AWS_SESSION_TOKEN="token-of-2")
    assert secrets.hide("secret-1 token-of-1 secret-2 token-of-2") == "*** *** *** ***"
    write_secret(keys, "3")
    assert secrets.hide("token-of-1 token-of-2") == "*** ***"


def test_the_identifier_of_a_key_is_no_secret(tmp_path: Path) -> None:
    write_secret(tmp_path, "1", AWS_ACCESS_KEY_ID="trainjobs", AWS_SECRET_ACCESS_KEY="of-trainjobs")
    secrets = Secrets({"TRAINJOBS_STORAGE_KEYS": str(tmp_path), "AWS_ACCESS_KEY_ID": "trainjobs"})
    assert secrets.hide("trainjobs signs with of-trainjobs") == "trainjobs signs with ***"


def test_what_a_file_holds_is_a_secret_and_where_it_lies_is_none(tmp_path: Path) -> None:
    token, file = tmp_path / "token", tmp_path / "credentials"
    token.write_text("eyJhbGciOi\n")
    file.write_text("[default]\naws_secret_access_key = of-a-profile\nregion = eu-central-1\n")
    named = {"AWS_WEB_IDENTITY_TOKEN_FILE": str(token), "AWS_SHARED_CREDENTIALS_FILE": str(file)}
    text = f"{token}: eyJhbGciOi; {file}: of-a-profile in eu-central-1"
    assert Secrets(named).hide(text) == f"{token}: ***; {file}: *** in eu-central-1"


@pytest.mark.parametrize("environment", [{"TRAINJOBS_STORAGE_KEYS": "/nowhere"}, {"HF_TOKEN": "short"}])
def test_what_is_not_there_or_is_a_short_word_hides_nothing(environment: dict[str, str]) -> None:
    assert Secrets(environment).hide("a short text") == "a short text"


@given(st.lists(SECRETS, min_size=1, max_size=3), st.text(st.sampled_from('ab/"é '), max_size=60), st.data())
def test_nothing_of_a_secret_shows_however_it_is_written_and_cut(
    values: list[str], around: str, data: st.DataObject
) -> None:
    secrets = Secrets({f"TOKEN_{number}": value for number, value in enumerate(values)})
    one = data.draw(st.sampled_from(values))
    way = data.draw(st.sampled_from([one, json.dumps(one)[1:-1], quote(one, safe="")]))
    printed = f"{around}{way}{around}".encode()
    cuts = sorted(data.draw(st.sets(st.integers(0, len(printed)), max_size=6)) | {0, len(printed)})
    veil = Veil(secrets)
    shown = b"".join(veil.cover(printed[start:end]) for start, end in pairwise(cuts))
    whole = (shown + veil.rest()).decode(errors="replace")
    assert not any(written in whole for written in secrets.written())
    assert "***" in whole


@given(st.text(st.sampled_from("sec ret\n"), max_size=80), st.data())
def test_what_holds_no_secret_is_shown_as_it_is(text: str, data: st.DataObject) -> None:
    veil, printed = Veil(Secrets({"TOKEN": "secretsecret"})), text.replace("secretsecret", "").encode()
    cuts = sorted(data.draw(st.sets(st.integers(0, len(printed)), max_size=6)) | {0, len(printed)})
    shown = b"".join(veil.cover(printed[start:end]) for start, end in pairwise(cuts))
    assert len(printed) - len(shown) < len("secretsecret")
    assert shown + veil.rest() == printed
