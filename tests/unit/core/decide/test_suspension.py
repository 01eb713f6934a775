"""Suspending and resuming."""

from tests.unit.core.decide.building import (
    at,
    begin,
    condition,
    ended,
    job,
    make_run,
    reasons,
    running,
    settled,
    under_way,
    with_policy,
    with_status,
)
from trainjobs.core.decide import decide
from trainjobs.core.decide.observed import Observed


def test_a_run_that_was_never_started_waits() -> None:
    run = make_run(policy={"suspend": True})
    decision = decide(Observed(run), at(0))
    assert (decision.start, decision.status.phase) == (None, "Suspended")
    assert reasons(decision) == ["Suspended"]
    resumed = with_policy(with_status(run, decision.status), suspend=False)
    decision = decide(Observed(resumed), at(50))
    assert decision.start.attempt == 1
    assert reasons(decision) == ["Resumed", "AttemptCreated"]
    assert decision.status.suspended_seconds == 0


def test_the_attempt_is_stopped_and_the_run_suspended_when_its_pods_are_gone() -> None:
    run = with_policy(under_way(make_run()), suspend=True)
    decision = decide(Observed(run, (job(),), (running(),)), at(10))
    assert [stop.job_uid for stop in decision.stop] == ["job-1"]
    assert decision.status.phase == "Running"
    assert condition(decision.status, "Running") == ("False", "Stopping")
    assert reasons(decision) == ["Suspended"]
    run = with_status(run, decision.status)
    stopping = decide(Observed(run, (), (running(deleted=at(10)),)), at(20))
    assert (stopping.status.phase, stopping.stop, stopping.events) == ("Running", (), ())
    stopped = decide(Observed(run, (), (ended(143, "Preempted"),)), at(30))
    assert stopped.status.phase == "Suspended"
    assert (stopped.status.restarts, stopped.status.infrastructure_restarts) == (0, 0)


def test_a_resumed_run_goes_on_with_the_next_attempt_and_waits_for_the_last_one() -> None:
    run = with_policy(under_way(make_run()), suspend=True)
    run = settled(Observed(run, (job(),), (running(),)), 10)
    run = with_policy(run, suspend=False)
    early = decide(Observed(run, (), (running(deleted=at(10)),)), at(11))
    assert (early.start, early.status.phase) == (None, "Restarting")
    decision = decide(Observed(run, (), ()), at(40))
    assert decision.start.attempt == 2
    assert decision.status.suspended_seconds == 30


def test_a_dependent_run_that_is_resumed_waits_for_the_other() -> None:
    run = settled(Observed(make_run(policy={"suspend": True}, depends_on="base")))
    assert run.status.phase == "Suspended"
    assert settled(Observed(with_policy(run, suspend=False)), 5).status.phase == "Waiting"


def test_a_failure_that_no_attempt_mends_ends_a_suspended_run_too() -> None:
    run = with_policy(under_way(make_run()), suspend=True)
    assert settled(Observed(run, (job(),), (ended(11, "InvalidData"),)), 10).status.phase == "Failed"


def test_a_queued_attempt_is_taken_out_of_its_queue() -> None:
    run = begin(make_run(policy={"queueName": "team"}))
    run = settled(Observed(run, (job(suspended=True),)), 1)
    decision = decide(Observed(with_policy(run, suspend=True), (job(suspended=True),)), at(2))
    assert [stop.attempt for stop in decision.stop] == [1]
