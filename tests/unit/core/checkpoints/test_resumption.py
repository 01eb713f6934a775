"""Where an attempt goes on, written down and read back."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainjobs.core.checkpoints.layout import CheckpointRef
from trainjobs.core.checkpoints.resumption import ExternalCheckpoint, ResumePoint, Resumption
from trainjobs.errors import CorruptCheckpoint

NOW = datetime(2026, 11, 21, tzinfo=UTC)
refs = st.builds(CheckpointRef, st.integers(0, 50), st.integers(1, 6))
resumes: st.SearchStrategy[ResumePoint] = (
    st.none() | refs | st.builds(ExternalCheckpoint, st.text(max_size=30))
)


@given(st.builds(Resumption, st.integers(1, 6), resumes, st.just(NOW)))
def test_a_record_reads_back_as_it_was_written(found: Resumption):
    assert Resumption.from_json(found.to_json(), "r") == found


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b'"attempt": 3', b'"attempt": 0', "attempt 0 is outside"),
        (b'"step": 5', b'"stop": 5', "resume: field step must be a whole number"),
        (b'"format": 1', b'"format": 9', "format 9 is not known"),
        (b"+00:00", b"", "field created has no time zone"),
        (b"{", b"", "not JSON"),
    ],
)
def test_a_wrong_record_says_what_is_wrong(old: bytes, new: bytes, message: str):
    written = Resumption(3, CheckpointRef(5, 2), NOW).to_json()
    assert old in written
    with pytest.raises(CorruptCheckpoint, match=f"^r.*{message}"):
        Resumption.from_json(written.replace(old, new, 1), "r")
