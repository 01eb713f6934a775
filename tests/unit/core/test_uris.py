"""A path is written into a URI and read back as the same path, whatever a file system lets it hold."""

from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given

from tests.unit.paths import absolute_paths
from trainjobs.core.uris import Scheme, Uri, below, file_path, file_uri, parse_uri
from trainjobs.errors import InvalidRecipe


@given(path=absolute_paths())
def test_a_path_survives_being_written_and_read(path: PurePosixPath):
    assert file_path(file_uri(path)) == path


@given(path=absolute_paths(), more=absolute_paths())
def test_what_lies_below_a_folder_is_that_path_below_it(path: PurePosixPath, more: PurePosixPath):
    assert file_path(below(file_uri(path), str(more).lstrip("/"))) == path / str(more).lstrip("/")


@pytest.mark.parametrize(
    ("text", "uri"),
    [
        ("file:///x/proj#old/rows?.jsonl", Uri(Scheme.FILE, "", "/x/proj#old/rows?.jsonl")),
        ("file://./a%41 b.jsonl", Uri(Scheme.FILE, "", "./a%41 b.jsonl")),
        ("pvc://claim/a#b?c", Uri(Scheme.CLAIM, "claim", "a#b?c")),
        ("s3://bucket/%20/x;y", Uri(Scheme.OBJECTS, "bucket", "%20/x;y")),
        ("hf://org/name@v1/a b", Uri(Scheme.HUB, "org", "name@v1/a b")),
        ("configMap://rows/a.jsonl", Uri(Scheme.CONFIG_MAP, "rows", "a.jsonl")),
    ],
)
def test_nothing_is_decoded_and_nothing_cut_off(text: str, uri: Uri):
    assert parse_uri(text) == uri


def test_slashes_too_many_mean_one():
    assert file_path("file:////data//rows.jsonl") == PurePosixPath("/data/rows.jsonl")
    assert file_path("file:///") == PurePosixPath("/")
    assert below("file:///", "runs") == "file:///runs"
    assert below("s3://bucket/", "runs") == "s3://bucket/runs"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("/data/rows.jsonl", "give file:///path"),
        ("ftp://x/y", "give file:///path"),
        ("file://data/rows.jsonl", "give an absolute path"),
        ("file:///data/../rows", "must not contain '..'"),
        ("s3://bucket/../rows", "must not contain '..'"),
        ("pvc://claim/..", "must not contain '..'"),
        ("file:///a\0b", "NUL"),
    ],
)
def test_what_is_no_uri_is_refused_with_what_would_be_one(text: str, words: str):
    with pytest.raises(InvalidRecipe, match=words.replace(".", r"\.")):
        parse_uri(text)


def test_a_name_that_no_manifest_can_hold_is_named():
    with pytest.raises(InvalidRecipe, match="not UTF-8; rename it"):
        file_uri(Path(b"/data/\xff.jsonl".decode(errors="surrogateescape")))
