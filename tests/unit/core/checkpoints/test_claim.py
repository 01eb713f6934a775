"""Who owns a run: the newest claim."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainjobs.core.checkpoints.claim import Claim, fenced_by
from trainjobs.errors import CorruptCheckpoint

NOW = datetime(2026, 11, 21, tzinfo=UTC)


@given(st.builds(Claim, st.integers(1, 6), st.text(max_size=9), st.text(max_size=9), st.just(NOW)))
def test_a_claim_reads_back_as_it_was_written(found: Claim):
    assert Claim.from_json(found.to_json(), "c") == found


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b'"attempt": 3', b'"attempt": 0', "attempt 0 is outside"),
        (b'"attempt": 3', b'"attempt": "3"', "field attempt must be a whole number"),
        (b'"jobUid": "job-3"', b'"jobUid": 3', "field jobUid must be text"),
        (b'"format": 1', b'"format": 9', "format 9 is not known"),
        (b"{", b"", "not JSON"),
    ],
)
def test_a_wrong_claim_says_what_is_wrong(old: bytes, new: bytes, message: str):
    written = Claim(3, "job-3", "pod-3", NOW).to_json()
    assert old in written
    with pytest.raises(CorruptCheckpoint, match=f"^c.*{message}"):
        Claim.from_json(written.replace(old, new, 1), "c")


@pytest.mark.parametrize(
    ("attempt", "claimed", "fenced"),
    [(1, [], None), (1, [1], None), (2, [1], None), (1, [1, 2], 2), (1, [3, 2], 3), (3, [1, 2, 3], None)],
)
def test_the_newest_claim_owns_the_run(attempt: int, claimed: list[int], fenced: int | None):
    assert fenced_by(attempt, claimed) == fenced
