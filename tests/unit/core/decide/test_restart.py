"""Retries, budgets and the batch that is halved."""

import pytest

from tests.unit.core.decide.building import (
    at,
    beat,
    begin,
    checkpoints,
    condition,
    ended,
    job,
    make_run,
    onward,
    pod,
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
        ("StorageUnusable", 0, 5, "Failed"),
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


def test_an_end_for_a_reason_of_a_newer_operator_is_followed_by_the_next_attempt() -> None:
    run = run_with({"maxRestarts": 1000}, restarts=2)
    status = failed_with(run, "TrainingError").status
    newer = status.ended.model_copy(update={"reason": "OutOfPatience"})
    waiting = Observed(with_status(run, status.model_copy(update={"ended": newer})))
    assert onward(waiting, at(1000)).start.attempt == 2


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


def worked(reached: str = "Trained", **status):
    return run_with({"maxRestarts": 0, "maxInfrastructureRestarts": 0}, reached=reached, **status)


@pytest.mark.parametrize(
    ("reason", "stage", "passed", "not_yet"),
    [
        ("StorageUnusable", "Fetching", "Prepared", "Started"),
        ("StorageUnusable", "Uploading", "Prepared", ""),
        ("AccessDenied", "Fetching", "Prepared", "Started"),
        ("HubUnavailable", "Fetching", "Prepared", "Started"),
        # Of what is fetched: what was there once is away now, or a proxy answers in its place.
        ("ModelNotFound", "Fetching", "Prepared", "Started"),
        ("InvalidData", "Fetching", "Trained", "Started"),
        ("InvalidRecipe", "Starting", "Prepared", "Started"),
    ],
)
def test_what_a_run_had_once_is_waited_for(reason: str, stage: str, passed: str, not_yet: str) -> None:
    end = (ended(13, reason, stage=stage),)
    if stage != "Uploading":
        assert onward(Observed(worked(not_yet), (job(failed=True),), end), at(10)).status.phase == "Failed"
    decision = onward(Observed(worked(passed), (job(failed=True),), end), at(10))
    assert (decision.status.phase, decision.status.waits) == ("Restarting", 1)
    assert decision.status.restarts == decision.status.infrastructure_restarts == 0
    assert any(one.message.endswith("attempt starts at 12:00:20 UTC") for one in decision.events)
    message = next(one.message for one in decision.status.conditions if one.type == "Running")
    assert message.startswith(f"the next attempt starts at 12:00:20 UTC; {reason} is waited out")
    assert onward(Observed(with_status(worked(), decision.status)), at(20)).start.attempt == 2


@pytest.mark.parametrize("reason", ["InvalidRecipe", "InvalidData", "ModelNotFound"])
def test_what_training_itself_finds_wrong_stays_wrong(reason: str) -> None:
    end = (ended(11, reason, stage="Training"),)
    assert onward(Observed(worked(), (job(failed=True),), end), at(10)).status.phase == "Failed"


@pytest.mark.parametrize(("waits", "delay"), [(0, 10), (1, 20), (4, 160), (6, 600), (500, 600)])
def test_an_outage_is_waited_out_ever_more_slowly_and_without_end(waits: int, delay: int) -> None:
    decision = failed_with(worked(waits=waits), "StorageUnavailable", 30)
    assert decision.status.waits == waits + 1
    assert decision.requeue_after.total_seconds() == delay


@pytest.mark.parametrize("reached", ["", "Started", "Prepared"])
def test_a_run_that_never_reached_storage_waits_for_it_as_long_as_any(reached: str) -> None:
    away = (ended(30, "StorageUnavailable", stage="Starting"),)
    run = worked(reached, infrastructure_restarts=0)
    for attempt in range(1, 14):
        decision = onward(Observed(run, (job(failed=True),), away), at(10))
        assert (decision.status.phase, decision.status.waits) == ("Restarting", attempt)
        assert decision.status.restarts == decision.status.infrastructure_restarts == 0
        run = with_status(run, decision.status.model_copy(update={"ended": None}))


def test_waits_are_counted_anew_after_progress() -> None:
    run = worked(waits=9, progress_step=100, checkpoints=checkpoints(200))
    assert failed_with(run, "StorageUnavailable", 30).status.waits == 1


def test_an_outage_ends_with_the_deadline() -> None:
    run = run_with({"activeDeadlineSeconds": 500}, reached="Trained")
    waiting = with_status(run, failed_with(run, "StorageUnavailable", 30).status)
    assert onward(Observed(waiting), at(500)).status.failure.reason == "DeadlineExceeded"


@pytest.mark.parametrize(("reason", "code"), [("CorruptCheckpoint", 33), ("Fenced", 34), ("DiskFull", 35)])
def test_what_no_waiting_mends_has_its_budget(reason: str, code: int) -> None:
    assert failed_with(worked(), reason, code).status.phase == "Failed"


@pytest.mark.parametrize(
    ("pods", "beats", "reached"),
    [
        ((pod(), running(1)), (), "Started"),
        ((running(), running(1)), (beat(1, stage="Launching"),), "Started"),
        (
            (running(), running(1)),
            (beat(1), beat(1, rank=1, stage="Launching")),
            "Prepared",
        ),
        ((running(), running(1)), (beat(1, step=0, stage="Fetching"),), "Started"),
        ((running(), running(1)), (beat(1, step=1),), "Trained"),
        # No heartbeat was heard: the final records tell.
        ((ended(23, "Hang", stage="Saving"), ended(143, "Preempted", 1, stage="Training")), (), "Prepared"),
        ((ended(13, "AccessDenied", stage="Fetching"), running(1)), (), "Started"),
    ],
)
def test_how_far_a_run_has_come_is_remembered_for_good(pods, beats, reached: str) -> None:
    run = under_way(make_run(nodes=2, policy={"maxRestarts": 9}))
    run = with_status(run, run.status.model_copy(update={"reached": ""}))
    status = onward(Observed(run, (job(),) if pods else (), pods, beats), at(2)).status
    assert status.reached == reached
    again = onward(Observed(with_status(run, status)), at(3)).status
    assert again.reached == reached


@pytest.mark.parametrize(
    ("word", "seconds", "reason"),
    [("ImagePullBackOff", 5000, "ImagePullFailed"), ("CreateContainerConfigError", 9000, "NodeNotStarted")],
)
def test_an_image_or_a_secret_that_was_there_once_is_waited_for(word: str, seconds: int, reason: str) -> None:
    held_up = (pod(scheduled=True, node="m1", waiting_reason=word),)
    run = settled(Observed(begin(make_run(policy={"maxRestarts": 0})), (job(),), held_up))
    for reached, phase in (("", "Failed"), ("Started", "Restarting")):
        known = with_status(run, run.status.model_copy(update={"reached": reached}))
        decision = onward(Observed(known, (job(),), held_up), at(seconds))
        assert (decision.status.phase, decision.status.failure.reason) == (phase, reason)
