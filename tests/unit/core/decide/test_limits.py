"""Scheduling, image, start, hang and the deadline."""

import pytest

from tests.unit.core.decide.building import (
    at,
    beat,
    begin,
    condition,
    job,
    make_run,
    pod,
    running,
    settled,
    under_way,
    with_policy,
)
from trainjobs.core.decide import decide
from trainjobs.core.decide.observed import Observed
from trainjobs.core.reports import SyncState, Wait

WAITING = pod(scheduling_message="0/5 nodes are available: 5 Insufficient nvidia.com/gpu.")
PULLING = pod(scheduled=True, node="m0", waiting_reason="ImagePullBackOff", waiting_message="no such image")


def end_of(observed: Observed, seconds: float) -> str:
    ended = decide(observed, at(seconds)).status.ended
    return ended.reason if ended else ""


@pytest.mark.parametrize(
    ("jobs", "pods", "seconds", "reason"),
    [
        ((job(),), (WAITING,), 99, ""),
        ((job(),), (WAITING,), 100, "SchedulingTimeout"),
        ((job(),), (), 100, "SchedulingTimeout"),
        ((job(),), (pod(created=at(50)),), 100, ""),
        ((job(),), (pod(scheduled=True),), 100, ""),
        ((job(suspended=True),), (), 1000, ""),
    ],
)
def test_room_is_waited_for_only_so_long(jobs, pods, seconds, reason) -> None:
    run = begin(make_run(policy={"schedulingTimeoutSeconds": 100}))
    assert end_of(Observed(run, jobs, pods), seconds) == reason


def test_the_schedulers_own_words_are_passed_on() -> None:
    run = begin(make_run(policy={"schedulingTimeoutSeconds": 100}))
    waiting = decide(Observed(run, (job(),), (WAITING,)), at(10))
    assert "Insufficient nvidia.com/gpu" in waiting.status.conditions[-3].message
    assert waiting.requeue_after.total_seconds() == 90
    over = decide(Observed(run, (job(),), (WAITING,)), at(100)).status
    assert condition(over, "Failed") == ("True", "SchedulingTimeout")
    assert "Insufficient nvidia.com/gpu" in over.failure.message


def test_a_queue_may_take_its_time() -> None:
    run = begin(make_run(policy={"schedulingTimeoutSeconds": 100, "queueName": "team"}))
    queued = settled(Observed(run, (job(suspended=True),), ()), 1)
    assert queued.status.phase == "Queued"
    assert end_of(Observed(queued, (job(),), ()), 5000) == ""


def test_a_queued_run_is_created_suspended() -> None:
    decision = decide(Observed(make_run(policy={"queueName": "team"})), at(0))
    assert decision.start.queued
    assert decision.status.phase == "Queued"
    assert not decide(Observed(make_run()), at(0)).start.queued


def test_an_image_that_cannot_be_pulled_is_given_up_after_a_while() -> None:
    run = settled(Observed(begin(make_run()), (job(),), (PULLING,)), 50)
    assert end_of(Observed(run, (job(),), (PULLING,)), 50 + 599) == ""
    failed = decide(Observed(run, (job(),), (PULLING,)), at(50 + 600)).status
    assert condition(failed, "Failed") == ("True", "ImagePullFailed")
    assert "no such image" in failed.failure.message


@pytest.mark.parametrize(
    ("pods", "beats", "seconds", "reason"),
    [
        ((running(started=at(10)),), (), 109, ""),
        ((running(started=at(10)),), (), 110, "StartTimeout"),
        ((running(started=at(10)),), (beat(100, stage="Fetching"),), 110, "StartTimeout"),
        ((running(started=at(10)),), (beat(100, step=1),), 110, ""),
        ((running(started=at(10)),), (beat(100, step=1, attempt=7),), 110, "StartTimeout"),
        ((pod(scheduled=True, waiting_reason="CreateContainerConfigError"),), (), 101, "NodeNotStarted"),
    ],
)
def test_the_first_step_has_to_come_in_time(pods, beats, seconds, reason) -> None:
    run = settled(
        Observed(begin(make_run(policy={"startTimeoutSeconds": 100})), (job(),), (pod(scheduled=True),)), 1
    )
    assert end_of(Observed(run, (job(),), pods, beats), seconds) == reason


def test_an_operator_that_has_just_started_knows_from_the_status_that_training_moved() -> None:
    run = under_way(make_run(policy={"startTimeoutSeconds": 100}))
    run = settled(Observed(run, (job(),), (running(),), (beat(50, step=3),)), 50)
    assert end_of(Observed(run, (job(),), (running(),)), 5000) == ""


@pytest.mark.parametrize(
    ("heartbeat", "reason"),
    [
        (beat(1000, step=3, stepped=900), ""),
        (beat(1000, step=3, stepped=899), "Hang"),
        (beat(1000, step=3, stepped=1, stage="Saving"), "Hang"),
        # After the last step, results are evaluated and stored: no step is to be expected.
        (beat(1000, step=3, stepped=1, stage="Uploading"), ""),
        # Nothing was heard for long: that says nothing about training.
        (beat(100, step=3), ""),
        (beat(1000, step=3, stepped=1, attempt=7), ""),
        (beat(1000, step=3, stepped=1, run_uid="another"), ""),
        (beat(1000), ""),
    ],
)
def test_a_run_hangs_when_its_agents_see_no_step(heartbeat, reason) -> None:
    run = under_way(make_run(policy={"hangTimeoutSeconds": 100, "startTimeoutSeconds": 100_000}))
    assert end_of(Observed(run, (job(),), (running(),), (heartbeat,)), 1000) == reason


@pytest.mark.parametrize("rank", [0, 1])
def test_an_attempt_that_waits_for_storage_until_its_start_is_due_is_waited_out(rank: int) -> None:
    run = under_way(make_run(nodes=2, policy={"startTimeoutSeconds": 100, "maxRestarts": 0}))
    away = SyncState(healthy=False, reason="StorageUnavailable", message="connection refused")
    beats = (beat(90, stage="Starting", rank=1 - rank), beat(90, stage="Starting", rank=rank, sync=away))
    status = decide(Observed(run, (job(),), (running(), running(1)), beats), at(100)).status
    assert (status.phase, status.ended.reason, status.waits) == ("Restarting", "StorageUnavailable", 1)
    assert f"no step within 100 s of the start; node {rank}: connection refused" in status.failure.message
    assert condition(status, "Synced") == ("False", "StorageUnavailable")


def test_the_deadline_ends_the_run_and_stops_its_attempt() -> None:
    run = under_way(make_run(policy={"activeDeadlineSeconds": 500}))
    observed = Observed(run, (job(),), (running(),))
    assert decide(observed, at(499)).requeue_after.total_seconds() == 1
    decision = decide(observed, at(500))
    assert condition(decision.status, "Failed") == ("True", "DeadlineExceeded")
    assert [stop.attempt for stop in decision.stop] == [1]
    assert [event.reason for event in decision.events] == ["DeadlineExceeded"]


def test_a_deadline_that_comes_with_the_first_machines_moves_no_transition() -> None:
    run = begin(make_run(policy={"activeDeadlineSeconds": 500}))
    status = decide(Observed(run, (job(),), (running(),)), at(500)).status
    scheduled = next(one for one in status.conditions if one.type == "Scheduled")
    assert (scheduled.status, scheduled.last_transition_time) == ("False", at(0))


def test_suspended_time_is_not_counted_by_the_deadline() -> None:
    run = with_policy(under_way(make_run(policy={"activeDeadlineSeconds": 500})), suspend=True)
    run = settled(Observed(run, (job(),), (running(),)), 100)
    run = settled(Observed(run), 5000)
    assert run.status.phase == "Suspended"
    run = settled(Observed(with_policy(run, suspend=False)), 10_100)
    assert (run.status.suspended_seconds, run.status.attempt) == (10_000, 2)
    again = Observed(run, (job(2),), (running(attempt=2, started=at(10_100)),))
    assert decide(again, at(10_499)).status.phase == "Running"
    assert decide(again, at(10_500)).status.phase == "Failed"


def test_a_node_waits_for_one_without_a_machine_as_long_as_for_room():
    run = begin(make_run(nodes=2))
    waiting = beat(86_000, stage="Launching", wait=Wait(what="node 1: 1 of 2 are there", since=at(60)))
    pods = (running(0), pod(1, scheduling_message="0/9 nodes are available"))
    run = settled(Observed(run, (job(),), pods, (waiting,)), 86_000)
    assert run.status.ended is None
    still = decide(Observed(run, (job(),), pods, (waiting,)), at(86_399)).status
    assert (still.ended, still.infrastructure_restarts) == (None, 0)
    over = decide(Observed(run, (job(),), pods, (waiting,)), at(86_400)).status
    assert over.failure is not None
    assert over.failure.reason == "SchedulingTimeout"


def test_nodes_that_never_meet_are_ended_by_the_time_to_start_and_it_says_what_they_wait_for():
    run = under_way(make_run(nodes=2))
    waiting = beat(3_500, stage="Launching", wait=Wait(what="node 1: 1 of 2 are there", since=at(60)))
    observed = Observed(run, (job(),), (running(0), running(1)), (waiting,))
    failure = decide(observed, at(3_600)).status.failure
    assert failure is not None
    assert failure.reason == "StartTimeout"
    assert "it waits for node 1: 1 of 2 are there, since" in failure.message
