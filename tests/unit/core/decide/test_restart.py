"""Retries, budgets and the batch that is halved."""

import pytest

from tests.unit.core.decide.building import (
    at,
    beat,
    checkpoints,
    condition,
    ended,
    job,
    make_run,
    onward,
    running,
    settled,
    under_way,
    with_status,
)
from trainjobs.core.decide.observed import Observed


def run_with(policy, **status):
    run = under_way(make_run(policy=policy))
    return with_status(run, run.status.model_copy(update=status))


def failed_with(run, reason: str, exit_code: int = 23):
    return onward(Observed(run, (job(failed=True),), (ended(exit_code, reason),)), at(10))


@pytest.mark.parametrize(
    ("reason", "restarts", "infrastructure", "phase"),
    [
        ("TrainingError", 0, 5, "Pending"),
        ("TrainingError", 1, 0, "Restarting"),
        ("TrainingError", 2, 0, "Failed"),
        ("Preempted", 2, 4, "Restarting"),
        ("Preempted", 0, 5, "Failed"),
        ("StorageUnavailable", 0, 5, "Failed"),
    ],
)
def test_each_failure_counts_against_its_own_budget(reason, restarts, infrastructure, phase) -> None:
    policy = {"maxRestarts": 2, "maxInfrastructureRestarts": 5}
    run = run_with(policy, restarts=restarts, infrastructure_restarts=infrastructure)
    decision = failed_with(run, reason)
    assert decision.status.phase == phase
    if phase == "Failed":
        assert condition(decision.status, "Failed") == ("True", "RestartsExhausted")
        assert decision.status.failure.reason == reason
        counted = 0
    else:
        counted = 1
    total = decision.status.restarts + decision.status.infrastructure_restarts
    assert total == restarts + infrastructure + counted


@pytest.mark.parametrize(
    ("newest", "counted_at", "before", "after"),
    [(0, 0, 3, 4), (200, 100, 3, 1), (100, 100, 3, 4), (50, 100, 3, 4), (200, 100, 5, 1)],
)
def test_infrastructure_restarts_are_counted_anew_after_progress(newest, counted_at, before, after) -> None:
    saved = checkpoints(newest) if newest else checkpoints(1).model_copy(update={"latest": None})
    run = run_with(
        {"maxInfrastructureRestarts": 5},
        infrastructure_restarts=before,
        progress_step=counted_at,
        checkpoints=saved,
    )
    status = failed_with(run, "Preempted").status
    assert status.infrastructure_restarts == after
    assert status.progress_step == max(newest, counted_at)


def test_errors_of_the_run_are_not_forgiven_for_progress() -> None:
    run = run_with({"maxRestarts": 2}, restarts=2, checkpoints=checkpoints(500))
    assert failed_with(run, "TrainingError").status.phase == "Failed"


def test_a_failure_is_counted_once_however_often_it_is_seen() -> None:
    run = under_way(make_run(nodes=2))
    seen = Observed(run, (job(),), (ended(23, "TrainingError"), running(1)))
    first = onward(seen, at(10))
    again = onward(Observed(with_status(run, first.status), seen.jobs, seen.pods), at(11))
    assert (first.status.restarts, again.status.restarts) == (1, 1)
    assert again.events == ()
    assert [stop.attempt for stop in again.stop] == [1]


@pytest.mark.parametrize(("count", "delay"), [(1, 0), (2, 10), (3, 20), (4, 40), (9, 300), (500, 300)])
def test_the_more_restarts_the_longer_the_wait(count: int, delay: int) -> None:
    run = run_with({"maxRestarts": 1000}, restarts=count - 1)
    decision = failed_with(run, "TrainingError")
    if delay == 0:
        assert decision.start.attempt == 2
        return
    assert decision.start is None
    assert decision.requeue_after.total_seconds() == delay
    waiting = Observed(with_status(run, decision.status))
    assert onward(waiting, at(10 + delay - 1)).start is None
    assert onward(waiting, at(10 + delay)).start.attempt == 2


@pytest.mark.parametrize(
    ("reason", "policy", "batch", "halvings", "phase"),
    [
        ("AcceleratorOutOfMemory", "Fail", 4, 0, "Failed"),
        ("AcceleratorOutOfMemory", "HalveBatch", 4, 1, "Pending"),
        ("AcceleratorOutOfMemory", "HalveBatch", 1, 0, "Failed"),
        ("HostOutOfMemory", "Fail", 4, 0, "Pending"),
        ("HostOutOfMemory", "HalveBatch", 4, 1, "Pending"),
        ("HostOutOfMemory", "HalveBatch", 1, 0, "Pending"),
    ],
)
def test_out_of_memory(reason, policy, batch, halvings, phase) -> None:
    run = under_way(make_run(policy={"onOutOfMemory": policy}, training={"batchSizePerDevice": batch}))
    decision = failed_with(run, reason, 21)
    assert decision.status.phase == phase
    assert decision.status.batch_halvings == halvings
    if decision.start:
        assert decision.start.halve_batch == halvings
        assert decision.status.restarts == 1


def test_the_batch_is_halved_until_one_row_is_left() -> None:
    run = under_way(make_run(policy={"onOutOfMemory": "HalveBatch"}, training={"batchSizePerDevice": 4}))
    for halvings in (1, 2):
        run = with_status(run, run.status.model_copy(update={"ended": None}))
        decision = failed_with(run, "AcceleratorOutOfMemory", 21)
        assert decision.status.batch_halvings == halvings
        run = with_status(run, run.status.model_copy(update={"batch_halvings": halvings, "restarts": 0}))
    assert failed_with(run, "AcceleratorOutOfMemory", 21).status.phase == "Failed"


def test_the_progress_of_the_failed_attempt_stays_visible() -> None:
    run = settled(Observed(under_way(make_run()), (job(),), (running(),), (beat(5, step=90),)), 5)
    status = failed_with(run, "TrainingError").status
    assert (status.progress.step, status.display.step) == (90, "90/1000")
