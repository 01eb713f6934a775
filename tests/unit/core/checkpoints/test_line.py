"""Attempts form one line back to a run's start; what is off the line does not count."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from trainjobs.core.checkpoints.layout import CheckpointRef
from trainjobs.core.checkpoints.line import on_the_line
from trainjobs.core.checkpoints.resumption import ExternalCheckpoint, ResumePoint, Resumption

NOW = datetime(2026, 11, 21, tzinfo=UTC)
refs = st.builds(CheckpointRef, st.integers(0, 50), st.integers(1, 6))
resumes = st.none() | refs | st.builds(ExternalCheckpoint, st.text(max_size=30))
records = st.builds(Resumption, st.integers(1, 6), resumes, st.just(NOW))
OLD = CheckpointRef(100, 1)


def went_on(attempt: int, resume: ResumePoint) -> Resumption:
    return Resumption(attempt, resume, NOW)


def test_a_checkpoint_beyond_the_resume_point_of_its_successor_does_not_count():
    first = [CheckpointRef(step, 1) for step in (100, 200, 300)]
    second = [CheckpointRef(step, 2) for step in (250, 350)]
    found = on_the_line([*first, *second], [went_on(1, None), went_on(2, CheckpointRef(200, 1))])
    assert sorted(found) == [CheckpointRef(100, 1), CheckpointRef(200, 1), *second]


def test_an_attempt_that_began_anew_and_saved_ends_the_line():
    new = CheckpointRef(10, 2)
    for resume in (None, ExternalCheckpoint("s3://b/x")):
        assert on_the_line([OLD, new], [went_on(1, None), went_on(2, resume)]) == {new}


@given(st.lists(refs, max_size=12), st.lists(records, max_size=8), resumes)
def test_an_attempt_that_has_saved_nothing_never_changes_what_counts(
    stored: list[CheckpointRef], found: list[Resumption], resume: ResumePoint
):
    assert on_the_line(stored, [*found, went_on(7, resume)]) == on_the_line(stored, found)


def test_the_line_goes_on_through_an_attempt_whose_checkpoints_are_deleted_since():
    newest, late = CheckpointRef(400, 3), CheckpointRef(900, 1)
    chain = [went_on(1, None), went_on(2, OLD), went_on(3, CheckpointRef(300, 2))]
    assert on_the_line([OLD, late, newest], chain) == {OLD, newest}


def test_where_a_record_is_missing_every_older_checkpoint_counts():
    old, new = CheckpointRef(900, 1), CheckpointRef(10, 3)
    assert on_the_line([old, new], []) == {old, new}
    assert on_the_line([old, new], [went_on(1, None), went_on(4, new)]) == {old, new}


@given(st.lists(refs, max_size=12), st.lists(records, max_size=8))
def test_the_line_always_ends_and_invents_nothing(stored: list[CheckpointRef], found: list[Resumption]):
    line = on_the_line(stored, found)
    assert line <= set(stored)
    assert bool(line) == bool(stored)


@given(st.lists(refs, min_size=1, max_size=12))
def test_attempts_that_resume_from_the_newest_each_time_lose_nothing_before_it(stored: list[CheckpointRef]):
    """Attempt by attempt: whatever counts now and is resumed from still counts after the next has chosen."""
    chain: list[Resumption] = []
    for attempt in range(1, 8):
        there = [ref for ref in stored if ref.attempt < attempt]
        before = on_the_line(there, chain)
        newest = max(before, default=None)
        chain.append(went_on(attempt, newest))
        after = on_the_line(there, chain)
        assert newest is None or newest in after
        assert {ref for ref in before if newest and ref.attempt == newest.attempt} <= after
