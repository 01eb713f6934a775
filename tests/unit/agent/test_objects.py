"""What is fetched of a bucket, where it holds other things than files."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.s3_in_memory import S3InMemory, s3_in_memory
from trainjobs.agent.objects import fetch_objects
from trainjobs.errors import InvalidData, InvalidRecipe


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[S3InMemory]:
    """A store with the bucket `bkt`, and this process signed in to it."""
    with s3_in_memory() as running:
        for name, value in running.environment.items():
            monkeypatch.setenv(name, value)
        running.make_bucket("bkt")
        yield running


def fetched(server: S3InMemory, uri: str, cache: Path) -> dict[str, bytes]:
    place = fetch_objects(uri, cache, server.settings, InvalidData, lambda _done, _total: None)
    if place.is_file():
        return {place.name: place.read_bytes()}
    files = (path for path in place.rglob("*") if path.is_file())
    return {path.relative_to(place).as_posix(): path.read_bytes() for path in files}


@pytest.mark.parametrize(
    "marker", ["models/tiny", "models/tiny/", "models/", "models/tiny/deep/", "models/tiny/no/"]
)
def test_a_marker_is_no_file_of_a_folder(server: S3InMemory, marker: str, tmp_path: Path):
    files = {"config.json": b"{}", "deep/nothing": b""}
    server.objects.buckets["bkt"] |= {f"models/tiny/{key}": data for key, data in files.items()} | {
        marker: b""
    }
    assert fetched(server, "s3://bkt/models/tiny", tmp_path) == files


def test_a_folder_of_markers_alone_holds_nothing(server: S3InMemory, tmp_path: Path):
    server.objects.buckets["bkt"] |= {"rows/": b"", "rows/deep/": b""}
    with pytest.raises(InvalidData, match="nothing is stored there"):
        fetched(server, "s3://bkt/rows", tmp_path)


def test_an_empty_object_is_one(server: S3InMemory, tmp_path: Path):
    server.objects.buckets["bkt"] |= {"rows.jsonl": b""}
    assert fetched(server, "s3://bkt/rows.jsonl", tmp_path) == {"rows.jsonl": b""}


def test_what_is_stored_no_longer_is_not_fetched_from_an_earlier_time(server: S3InMemory, tmp_path: Path):
    held = server.objects.buckets["bkt"]
    held |= {"rows/a.jsonl": b"1", "rows/b": b"2"}
    assert fetched(server, "s3://bkt/rows", tmp_path) == {"a.jsonl": b"1", "b": b"2"}
    del held["rows/b"]
    held["rows/b/c.jsonl"] = b"3"
    (tmp_path / "elsewhere").write_bytes(b"4")
    assert fetched(server, "s3://bkt/rows", tmp_path) == {"a.jsonl": b"1", "b/c.jsonl": b"3"}
    assert (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize(
    "uri", ["s3://bkt/rows//a.jsonl", "s3://bkt//rows/a.jsonl", "s3://bkt/rows/../rows/a.jsonl"]
)
def test_another_key_is_not_taken_for_the_one_that_is_named(server: S3InMemory, uri: str, tmp_path: Path):
    server.objects.buckets["bkt"] |= {"rows/a.jsonl": b"1"}
    with pytest.raises(InvalidRecipe, match=r"empty, '\.' or '\.\.' parts"):
        fetched(server, uri, tmp_path)
