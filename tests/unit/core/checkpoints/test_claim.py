"""Claims form one line back to a run's start; what is off the line does not count."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainjobs.core.checkpoints.claim import Claim, ExternalCheckpoint, ResumePoint, fenced_by, on_the_line
from trainjobs.core.checkpoints.layout import CheckpointRef
from trainjobs.errors import CorruptCheckpoint

NOW = datetime(2026, 11, 21, tzinfo=UTC)
refs = st.builds(CheckpointRef, st.integers(0, 50), st.integers(1, 6))
resumes: st.SearchStrategy[ResumePoint] = (
    st.none() | refs | st.builds(ExternalCheckpoint, st.text(max_size=30))
)
claims = st.builds(Claim, st.integers(1, 6), st.text(max_size=9), st.text(max_size=9), resumes, st.just(NOW))


def claim(attempt: int, resume: ResumePoint) -> Claim:
    return Claim(attempt, f"job-{attempt}", f"pod-{attempt}", resume, NOW)


@given(claims)
def test_a_claim_reads_back_as_it_was_written(found: Claim):
    assert Claim.from_json(found.to_json(), "c") == found


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b'"attempt": 3', b'"attempt": 0', "attempt 0 is outside"),
        (b'"attempt": 3', b'"attempt": "3"', "field attempt must be a whole number"),
        (b'"jobUid": "job-3"', b'"jobUid": 3', "field jobUid must be text"),
        (b'"step": 5', b'"stop": 5', "resume: field step must be a whole number"),
        (b'"format": 1', b'"format": 9', "format 9 is not known"),
        (b"{", b"", "not JSON"),
    ],
)
def test_a_wrong_claim_says_what_is_wrong(old: bytes, new: bytes, message: str):
    written = claim(3, CheckpointRef(5, 2)).to_json()
    assert old in written
    with pytest.raises(CorruptCheckpoint, match=f"^c.*{message}"):
        Claim.from_json(written.replace(old, new, 1), "c")


@pytest.mark.parametrize(
    ("attempt", "claimed", "fenced"),
    [(1, [], None), (1, [1], None), (2, [1], None), (1, [1, 2], 2), (1, [3, 2], 3), (3, [1, 2, 3], None)],
)
def test_the_newest_claim_owns_the_run(attempt: int, claimed: list[int], fenced: int | None):
    assert fenced_by(attempt, claimed) == fenced


def test_a_checkpoint_beyond_the_resume_point_of_its_successor_does_not_count():
    first = [CheckpointRef(step, 1) for step in (100, 200, 300)]
    second = [CheckpointRef(step, 2) for step in (250, 350)]
    found = on_the_line([*first, *second], [claim(1, None), claim(2, CheckpointRef(200, 1))])
    assert sorted(found) == [CheckpointRef(100, 1), CheckpointRef(200, 1), *second]


def test_an_attempt_that_began_anew_ends_the_line():
    old, new = CheckpointRef(900, 1), CheckpointRef(10, 2)
    assert on_the_line([old, new], [claim(1, None), claim(2, None)]) == {new}
    assert on_the_line([old], [claim(1, None), claim(2, ExternalCheckpoint("s3://b/x"))]) == frozenset()


def test_an_attempt_without_progress_passes_the_line_on():
    kept = CheckpointRef(100, 1)
    chain = [claim(1, None), claim(2, kept), claim(3, kept)]
    assert on_the_line([kept, CheckpointRef(200, 2)], chain) == {kept}


def test_where_a_claim_is_missing_every_older_checkpoint_counts():
    old, new = CheckpointRef(900, 1), CheckpointRef(10, 3)
    assert on_the_line([old, new], []) == {old, new}
    assert on_the_line([old, new], [claim(1, None), claim(4, new)]) == {old, new}


@given(st.lists(refs, max_size=12), st.lists(claims, max_size=8))
def test_the_line_always_ends_and_invents_nothing(complete: list[CheckpointRef], found: list[Claim]):
    line = on_the_line(complete, found)
    assert line <= set(complete)


@given(st.lists(refs, min_size=1, max_size=12))
def test_attempts_that_resume_from_the_newest_each_time_lose_nothing_before_it(complete: list[CheckpointRef]):
    """Attempt by attempt: whatever counts now and is resumed from still counts after the next claim."""
    chain: list[Claim] = []
    for attempt in range(1, 8):
        there = [ref for ref in complete if ref.attempt < attempt]
        before = on_the_line(there, chain)
        newest = max(before, default=None)
        chain.append(claim(attempt, newest))
        after = on_the_line(there, chain)
        assert newest is None or newest in after
        assert {ref for ref in before if newest and ref.attempt == newest.attempt} <= after
