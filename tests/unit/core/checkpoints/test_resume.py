"""Which checkpoint an attempt resumes from, by policy and by what is there."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainjobs.core.checkpoints.layout import CheckpointRef
from trainjobs.core.checkpoints.resume import Resume, ResumeFrom, ResumePolicy, candidates, parse_resume
from trainjobs.core.checkpoints.resumption import ExternalCheckpoint, ResumePoint
from trainjobs.errors import InvalidRecipe

A, B, C = CheckpointRef(100, 1), CheckpointRef(200, 1), CheckpointRef(200, 2)
ELSEWHERE = ResumeFrom("s3://bucket/run/checkpoints/step-00000050-a0001")


@pytest.mark.parametrize(
    ("policy", "complete", "chosen"),
    [
        (Resume.AUTO, [], None),
        (Resume.AUTO, [B, A], B),
        (Resume.AUTO, [A, C, B], C),
        (Resume.AUTO, [CheckpointRef(150, 9), B], B),
        (Resume.NEVER, [A, B], None),
        (ELSEWHERE, [], ExternalCheckpoint(ELSEWHERE.uri)),
        (ELSEWHERE, [A], A),
    ],
)
def test_the_newest_step_wins_and_then_the_newer_attempt(
    policy: ResumePolicy, complete: list[CheckpointRef], chosen: ResumePoint
):
    assert candidates(policy, complete)[0] == chosen


@given(st.sets(st.builds(CheckpointRef, st.integers(0, 30), st.integers(1, 4)), min_size=1))
def test_nothing_newer_is_left_behind(complete: set[CheckpointRef]):
    found = candidates(Resume.AUTO, complete)
    assert set(found) == complete
    assert list(found) == sorted(complete, reverse=True)


@given(st.sets(st.builds(CheckpointRef, st.integers(0, 30), st.integers(1, 4)), min_size=1))
def test_where_a_checkpoint_is_stored_nothing_else_is_gone_on_from(complete: set[CheckpointRef]):
    assert set(candidates(ELSEWHERE, complete)) == complete


def test_the_policy_is_read_from_its_field():
    assert parse_resume("Auto") is Resume.AUTO
    assert parse_resume("Never") is Resume.NEVER
    assert parse_resume("file:///x") == ResumeFrom("file:///x")
    with pytest.raises(InvalidRecipe, match=r"spec\.checkpoints\.resume: 'auto' is neither Auto, Never nor"):
        parse_resume("auto")
