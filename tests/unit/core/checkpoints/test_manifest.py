"""A manifest reads back as it was written; anything else is refused with the field's name."""

import json
import math
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainjobs.core.checkpoints.manifest import FileEntry, Manifest, _digest
from trainjobs.errors import CorruptCheckpoint, InvalidRecipe

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
SHA = "ab" * 32
names = st.text(
    st.characters(categories=["L", "N"], include_characters=" ._-+"), min_size=1, max_size=20
).filter(
    lambda name: (
        name not in (".", "..", "MANIFEST.json") and not (name[0] == "." and name.endswith(".partial"))
    )
)
entries = st.builds(
    FileEntry, names, st.integers(0, 2**60), st.text("0123456789abcdef", min_size=64, max_size=64)
)
manifests = st.builds(
    Manifest,
    files=st.lists(entries, max_size=8, unique_by=lambda entry: entry.path).map(
        lambda found: tuple(sorted(found, key=lambda entry: entry.path))
    ),
    attempt=st.integers(1, 10**6),
    step=st.integers(0, 10**9),
    created=st.datetimes(timezones=st.just(UTC) | st.just(timezone(timedelta(hours=8)))),
    metrics=st.dictionaries(st.text(max_size=20), st.floats(allow_nan=False), max_size=5),
)


@given(manifests)
def test_a_manifest_reads_back_as_it_was_written(manifest: Manifest):
    assert Manifest.from_json(manifest.to_json(), "m") == manifest


@given(manifests, st.data())
def test_no_flipped_bit_goes_unnoticed(manifest: Manifest, data: st.DataObject):
    written = bytearray(manifest.to_json())
    position = data.draw(st.integers(0, len(written) - 1))
    written[position] ^= 1 << data.draw(st.integers(0, 7))
    try:
        read = Manifest.from_json(bytes(written), "m")
    except CorruptCheckpoint:
        return
    # Only white space between the fields may differ without changing what is said.
    assert read == manifest


def test_metrics_that_are_no_numbers_survive():
    metrics = {"a": math.nan, "b": math.inf, "c": -math.inf, "d": 1.5}
    read = Manifest.from_json(Manifest((), 1, 2, NOW, metrics).to_json(), "m").metrics
    assert math.isnan(read["a"])
    assert (read["b"], read["c"], read["d"]) == (math.inf, -math.inf, 1.5)


def changed(**fields: object) -> bytes:
    """A manifest with some fields replaced, and a digest that fits."""
    body = json.loads(Manifest((FileEntry("model", 1, SHA),), 1, 2, NOW, {"loss": 0.5}).to_json())
    body = {k: v for k, v in {**body, **fields}.items() if k != "digest" and v is not ...}
    return json.dumps({**body, "digest": _digest(body)}).encode()


def entry(**fields: object) -> list[dict[str, object]]:
    return [{"path": "model", "size": 1, "sha256": SHA, **fields}]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not JSON"),
        (b"[1]", "expected a JSON object"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"{}", "field format must be a whole number"),
        (changed(format=2), "format 2 is not known; this version reads format 1"),
        (changed(step="2"), "field step must be a whole number of at least 0, not '2'"),
        (changed(step=True), "field step must be a whole number"),
        (changed(step=-1), "field step must be a whole number"),
        (changed(attempt=...), "field attempt must be a whole number of at least 0, not None"),
        (changed(created="yesterday"), "field created must be an ISO 8601 time"),
        (changed(created="2026-11-21T12:00:00"), "field created has no time zone"),
        (changed(metrics={"loss": "low"}), "metrics: field loss must be a number, not 'low'"),
        (changed(metrics=...), "field metrics is missing"),
        (changed(files={}), "field files must be a list"),
        (changed(files=[7]), r"files\[0\]: expected a JSON object"),
        (changed(files=entry(size=-1)), r"files\[0\]: field size must be"),
        (changed(files=entry(sha256="short")), "file model: size 1 or checksum 'short' is wrong"),
        (changed(files=entry(path="../../etc/passwd")), "relative path"),
        (changed(files=entry(path="/etc/passwd")), "relative path"),
        (changed(files=entry(path="MANIFEST.json")), "kept for the manifest itself"),
        (changed(files=entry() + entry()), "named twice"),
    ],
)
def test_a_wrong_manifest_says_what_is_wrong(data: bytes, message: str):
    with pytest.raises(CorruptCheckpoint, match=f"^m.*{message}"):
        Manifest.from_json(data, "m")


def test_an_edited_manifest_is_refused():
    with pytest.raises(CorruptCheckpoint, match="digest does not match"):
        Manifest.from_json(changed().replace(b'"step": 2', b'"step": 3'), "m")


def test_a_file_outside_its_folder_is_refused_when_the_manifest_is_made():
    with pytest.raises(InvalidRecipe, match="relative path"):
        FileEntry("../x", 1, SHA)
