"""Nothing that is printed can fail a program: not a letter, not a reader who left, not a full disk."""

import json
import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainjobs.printing import READABLE

ENCODINGS = ("ascii", "gbk", "latin-1", "cp1252", "big5", "utf-8")


@given(text=st.text(st.characters(codec=None, exclude_categories=())), encoding=st.sampled_from(ENCODINGS))
def test_every_text_can_be_printed_in_every_encoding(text: str, encoding: str) -> None:
    shown = text.encode(encoding, READABLE).decode(encoding)
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return
    assert shown == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("2 × 4 … →", "2 x 4 ... ->"),
        ("naïve", "naive"),
        ("模型", "\\u6a21\\u578b"),
        ("a\udcffb", "a\\udcffb"),
    ],
)
def test_what_is_lacking_is_written_in_other_letters(text: str, shown: str) -> None:
    assert text.encode("ascii", READABLE).decode() == shown


def program(code: str, *, encoding: str = "utf-8", to: str = "| cat") -> subprocess.CompletedProcess[bytes]:
    """A program that survives, its output read by `to`; its exit code stands in standard error."""
    prints = f"from trainjobs.printing import *; import sys; survive(); {code}"
    return subprocess.run(
        ["sh", "-c", f'{{ "$0" -c "$1"; echo "exit $?" >&2; }} {to}', sys.executable, prints],
        env={**os.environ, "PYTHONIOENCODING": encoding},
        capture_output=True,
        check=False,
    )


def test_a_reader_who_has_left_ends_nothing() -> None:
    ended = program("[print('x' * 99999, flush=True) for _ in range(9)]; sys.exit(7)", to="| head -c 1")
    assert ended.stderr == b"exit 7\n"


def test_who_makes_results_for_a_reader_who_has_left_stops_without_a_word() -> None:
    ended = program(
        "[standard_output().write(b'x' * 999999) for _ in range(9)]; sys.exit(7)", to="| head -c 1"
    )
    assert ended.stderr == b"exit 0\n"


def test_a_full_disk_fails_nothing_and_is_known() -> None:
    ended = program(
        "print('x', flush=True); print(lost_output().strerror, file=sys.stderr)", to="> /dev/full"
    )
    assert ended.stderr == b"No space left on device\nexit 0\n"


def test_results_that_do_not_reach_a_full_disk_are_an_error() -> None:
    ended = program("s = standard_output(); s.write(b'x'); s.flush()", to="> /dev/full")
    assert b"UsageError: standard output: No space left on device" in ended.stderr


@pytest.mark.parametrize("encoding", ["ascii", "gbk"])
def test_json_is_the_same_value_in_every_encoding(encoding: str) -> None:
    value = {"名": "é 😀 ×", "path": "a\udcff"}
    code = f"from trainjobs.cli.console import print_json; print_json({value!r})"
    assert json.loads(program(code, encoding=encoding).stdout.decode(encoding)) == value
