"""What counts as success."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.unit.core.decide.building import (
    at,
    beat,
    condition,
    ended,
    job,
    make_run,
    onward,
    outcome,
    reasons,
    running,
    settled,
    under_way,
    with_policy,
    with_status,
)
from trainjobs.core.decide import decide
from trainjobs.core.decide.observed import Observed, PodState

LEADER = ended(0, "Succeeded", outcome=outcome())
FOLLOWER = ended(0, "Succeeded", 1)


@pytest.mark.parametrize(
    ("pods", "job_succeeded", "succeeded"),
    [
        ((LEADER, FOLLOWER), True, True),
        ((LEADER, FOLLOWER), False, True),
        ((LEADER, running(1)), False, False),
        ((LEADER, running(1)), True, False),
        ((running(0), FOLLOWER), False, False),
        ((LEADER,), True, True),
        ((LEADER,), False, False),
        ((ended(0, "Succeeded"), FOLLOWER), True, False),
        ((ended(0), FOLLOWER), True, False),
        ((FOLLOWER,), True, False),
        ((), True, False),
        ((LEADER, ended(23, "TrainingError", 1)), False, False),
    ],
)
def test_a_run_succeeds_with_every_node_and_the_record_of_node_0(pods, job_succeeded, succeeded) -> None:
    run = under_way(make_run(nodes=2))
    status = onward(Observed(run, (job(succeeded=job_succeeded),), pods), at(10)).status
    assert (status.phase == "Succeeded") == succeeded


def test_nodes_that_end_one_after_the_other_are_waited_for() -> None:
    run = under_way(make_run(nodes=2))
    decision = onward(Observed(run, (job(),), (LEADER, running(1))), at(10))
    assert (decision.status.ended, decision.stop) == (None, ())


def test_a_success_without_a_result_is_tried_again() -> None:
    run = under_way(make_run())
    decision = onward(Observed(run, (job(succeeded=True),), (ended(0),)), at(10))
    assert decision.status.failure.reason == "Unknown"
    assert "no result" in decision.status.failure.message
    assert decision.start.attempt == 2


def test_what_was_reached_is_in_the_status() -> None:
    run = settled(Observed(under_way(make_run()), (job(),), (running(),), (beat(5, step=90),)), 5)
    decision = onward(Observed(run, (job(),), (LEADER,)), at(10))
    status = decision.status
    assert status.artifacts.model == "s3://runs/scores/artifacts/model-a0001"
    assert (status.progress.step, status.progress.percent) == (100, 100)
    assert condition(status, "Finished") == ("True", "Succeeded")
    assert condition(status, "Failed")[0] == "False"
    assert condition(status, "Running")[0] == "False"
    assert status.completion_time == at(10)
    assert reasons(decision) == ["Succeeded"]


def test_a_run_that_finishes_while_it_is_suspended_has_finished() -> None:
    run = with_policy(under_way(make_run()), suspend=True)
    run = settled(Observed(run, (job(),), (running(),)), 5)
    assert run.status.ended.reason == "Suspended"
    assert onward(Observed(run, (), (LEADER,)), at(10)).status.phase == "Succeeded"


def test_a_finished_run_stays_as_it_is_whatever_is_seen_later() -> None:
    run = settled(Observed(under_way(make_run()), (job(),), (LEADER,)), 10)
    for pods in ((), (running(attempt=2),), (ended(23, "TrainingError"),)):
        decision = onward(Observed(run, (), pods, (beat(20, step=3),), stored_attempt=9), at(20))
        assert (decision.status, decision.start, decision.events) == (run.status, None, ())


def test_a_success_that_the_status_has_forgotten_is_found_again() -> None:
    decision = onward(Observed(make_run(), (job(succeeded=True),), (LEADER,)), at(10))
    assert (decision.status.phase, decision.start) == ("Succeeded", None)


def test_a_model_below_its_threshold_fails_the_run_at_once_and_is_shown() -> None:
    missed = outcome().model_copy(update={"missed": "overall.pearson is 0.5, below the minimum 0.7"})
    run = under_way(make_run())
    pods = (ended(24, "BelowThreshold", outcome=missed),)
    decision = onward(Observed(run, (job(failed=True),), pods), at(10))
    assert (decision.status.phase, decision.start) == ("Failed", None)
    assert decision.status.failure.reason == "BelowThreshold"
    assert decision.status.artifacts.model == "s3://runs/scores/artifacts/model-a0001"


def outlived(exit_code: int, reason: str, **changes: object) -> PodState:
    """A pod whose agent has ended at 100 s, and in which a sidecar goes on."""
    return replace(ended(exit_code, reason, finished=at(100), **changes), phase="Running")


@pytest.mark.parametrize(("exit_code", "reason"), [(0, "Succeeded"), (23, "TrainingError")])
def test_the_pods_of_a_training_that_is_over_are_taken_from_their_sidecars(exit_code: int, reason: str):
    run = under_way(make_run())
    pods = (outlived(exit_code, reason, outcome=None if exit_code else outcome()),)
    first = decide(Observed(run, (job(),), pods), at(101))
    assert (first.start, first.stop, first.requeue_after) == (None, (), timedelta(seconds=29))
    run = with_status(run, first.status)
    later = decide(Observed(run, (job(),), pods), at(130))
    assert [stop.job_uid for stop in later.stop] == ["job-1"]
    # Its job is gone, its pod is going: nothing starts beside it.
    going = tuple(replace(one, deleted=at(130)) for one in pods)
    run = with_status(run, later.status)
    assert decide(Observed(run, (), going), at(140)).start is None


def test_a_node_that_still_works_keeps_the_pod_of_one_that_has_ended():
    run = under_way(make_run(nodes=2))
    decision = decide(
        Observed(run, (job(),), (outlived(0, "Succeeded", outcome=outcome()), running(1))), at(900)
    )
    assert (decision.stop, decision.status.ended) == ((), None)
