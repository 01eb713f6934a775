"""Lost jobs, pods and machines."""

from datetime import timedelta

import pytest

from tests.unit.core.decide.building import (
    at,
    beat,
    begin,
    job,
    make_run,
    pod,
    running,
    settled,
    under_way,
)
from trainjobs.core.decide import decide
from trainjobs.core.decide.observed import Observed, Patience

LOST = running(1, ready_lost=at(100))


def end_of(observed: Observed, seconds: float) -> str:
    ended = decide(observed, at(seconds)).status.ended
    return ended.reason if ended else ""


@pytest.mark.parametrize(
    ("jobs", "pods", "reason"),
    [
        ((job(),), (running(0), running(1)), ""),
        ((), (running(0), running(1)), "PodLost"),
        ((job(deleted=at(5)),), (running(0), running(1)), "PodLost"),
        ((job(suspended=True),), (), "Preempted"),
        ((job(suspended=True),), (running(0, deleted=at(5)), running(1)), "Preempted"),
        ((job(),), (running(0),), "PodLost"),
        ((job(),), (running(0), pod(1, uid="another")), "PodLost"),
        ((job(),), (running(0), running(1, uid="another")), "PodLost"),
        ((job(),), (running(0), running(1, deleted=at(5))), "PodLost"),
        ((job(uid="another"),), (running(0, job_uid="another", uid="x"), running(1)), "PodLost"),
        ((job(failed=True, message="backoff"),), (running(0), running(1)), "Unknown"),
    ],
)
def test_after_its_pods_have_started_an_attempt_keeps_them_or_ends(jobs, pods, reason) -> None:
    run = under_way(make_run(nodes=2))
    assert end_of(Observed(run, jobs, pods), 10) == reason


def test_a_pod_that_has_not_started_may_be_replaced() -> None:
    run = settled(Observed(begin(make_run()), (job(),), (pod(),)), 1)
    assert end_of(Observed(run, (job(),), ()), 2) == ""
    assert end_of(Observed(run, (job(),), (running(uid="another"),)), 3) == ""


def test_one_started_pod_of_two_is_missed_too() -> None:
    run = settled(Observed(begin(make_run(nodes=2)), (job(),), (running(0), pod(1))), 1)
    assert end_of(Observed(run, (job(),), (pod(1),)), 2) == "PodLost"


def test_a_job_that_was_never_admitted_only_waits() -> None:
    assert end_of(Observed(begin(make_run()), (job(suspended=True),)), 10) == ""


@pytest.mark.parametrize(
    ("heard", "seconds", "reason"),
    [
        (None, 100 + 119, ""),
        (None, 100 + 120, "NodeLost"),
        (90, 100 + 120, "NodeLost"),
        # An agent that is still heard lives, whatever the node controller sees.
        (200, 100 + 120, ""),
        (200, 200 + 119, ""),
        (200, 200 + 120, "NodeLost"),
    ],
)
def test_a_machine_is_lost_after_its_grace_and_silence(heard, seconds, reason) -> None:
    run = under_way(make_run(nodes=2))
    beats = (beat(heard, rank=1),) if heard else ()
    assert end_of(Observed(run, (job(),), (running(0), LOST), beats), seconds) == reason


@pytest.mark.parametrize(("seconds", "reason"), [(100 + 19, ""), (100 + 20, "NodeLost")])
def test_a_platform_may_give_its_machines_another_grace(seconds, reason) -> None:
    run = under_way(make_run(nodes=2))
    observed = Observed(run, (job(),), (running(0), LOST), patience=Patience(timedelta(seconds=20)))
    assert end_of(observed, seconds) == reason


def test_the_next_attempt_waits_as_long_for_a_machine_as_the_platform_does() -> None:
    run = settled(Observed(under_way(make_run(nodes=2)), (), (running(0), running(1))), 100)
    pods = (running(0, deleted=at(100), ready_lost=at(100)),)
    decision = decide(Observed(run, (), pods, patience=Patience(timedelta(seconds=20))), at(120))
    assert decision.start is not None


@pytest.mark.parametrize(
    ("heard", "seconds", "reason"),
    [
        # Lost long ago by Kubernetes' word alone, as after an outage of the API server.
        (None, 1000 + 119, ""),
        (None, 1000 + 120, "NodeLost"),
        (1003, 1003 + 119, ""),
    ],
)
def test_an_operator_that_has_just_begun_to_listen_gives_agents_the_time_to_be_heard(
    heard, seconds, reason
) -> None:
    run = under_way(make_run(nodes=2))
    beats = (beat(heard, rank=1),) if heard else ()
    patience = Patience(listening_since=at(1000))
    assert end_of(Observed(run, (job(),), (running(0), LOST), beats, patience=patience), seconds) == reason


def test_within_the_grace_the_run_is_unhealthy_and_looked_at_again() -> None:
    run = under_way(make_run(nodes=2))
    decision = decide(Observed(run, (job(),), (running(0), LOST)), at(150))
    assert decision.requeue_after.total_seconds() == 70
    assert [event.reason for event in decision.events] == ["NodeLost"]


@pytest.mark.parametrize(
    ("pods", "starts"),
    [
        ((), True),
        ((running(0),), False),
        ((running(0, deleted=at(100)),), False),
        ((running(0, deleted=at(100), ready_lost=at(100)),), False),
        ((running(0, deleted=at(100), ready_lost=at(10)),), True),
        ((running(0, deleted=at(100), ready_lost=at(10)), running(1)), False),
        ((running(0, deleted=at(-600)),), True),
    ],
)
def test_the_next_attempt_waits_until_the_last_ones_pods_have_ended_or_are_lost(pods, starts) -> None:
    run = settled(Observed(under_way(make_run(nodes=2)), (), (running(0), running(1))), 100)
    assert run.status.ended.reason == "PodLost"
    decision = decide(Observed(run, (), pods), at(150))
    assert (decision.start is not None) == starts


def test_a_job_that_may_still_make_pods_holds_the_next_attempt_back() -> None:
    run = settled(Observed(under_way(make_run()), (job(),), ()), 100)
    decision = decide(Observed(run, (job(),), ()), at(101))
    assert decision.start is None
    assert [stop.job_uid for stop in decision.stop] == ["job-1"]
    assert decide(Observed(run, (), ()), at(101)).start.attempt == 2
