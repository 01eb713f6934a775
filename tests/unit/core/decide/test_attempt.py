"""Which attempt is the current one, and which number comes next."""

from dataclasses import replace

import pytest

from tests.unit.core.decide.building import (
    at,
    beat,
    ended,
    job,
    make_run,
    running,
    settled,
    under_way,
    with_status,
)
from trainjobs.api.status import AttemptEnd
from trainjobs.core.decide import decide
from trainjobs.core.decide.observed import Observed


def ended_run(attempt: int):
    run = make_run()
    last = AttemptEnd(attempt=attempt, reason="Suspended", time=at(0))
    status = {"attempt": attempt, "ended": last, "reached": "Started"}
    return with_status(run, run.status.model_copy(update=status))


@pytest.mark.parametrize(
    ("jobs", "pods", "stored", "expected"),
    [
        ((), (), 0, 4),
        ((), (), 3, 4),
        ((), (), 7, 8),
        ((job(3, failed=True),), (ended(143, attempt=3),), 0, 4),
        ((), (ended(143, attempt=2),), 0, 4),
        # A job of another run that has this name: its number is left to it.
        ((job(4, owner_uid="somebody else"),), (), 0, 5),
    ],
)
def test_the_next_number_is_one_that_nobody_has_used(jobs, pods, stored, expected) -> None:
    decision = decide(Observed(ended_run(3), jobs, pods, stored_attempt=stored), at(50))
    assert decision.start.attempt == expected
    assert decision.status.attempt == expected
    assert decision.stop == ()


def test_an_attempt_that_storage_refuses_is_followed_by_one_after_the_newest_that_storage_knows() -> None:
    refused = ended(34, "Fenced", attempt=2)
    record = refused.termination.record.model_copy(update={"newest_attempt": 9})
    refused = replace(refused, termination=replace(refused.termination, record=record))
    decision = decide(Observed(ended_run(2), (job(2, failed=True),), (refused,)), at(50))
    assert decision.start.attempt == 10


def test_an_attempt_that_was_decided_and_not_created_is_created_under_its_number() -> None:
    run = settled(Observed(make_run()))
    again = decide(Observed(run), at(5))
    assert (again.start.attempt, again.status, again.events) == (1, run.status, ())


def test_its_number_is_left_when_storage_knows_it() -> None:
    run = settled(Observed(make_run()))
    assert decide(Observed(run, stored_attempt=1), at(5)).start.attempt == 2


def test_a_status_older_than_its_children_takes_them_over() -> None:
    run = under_way(make_run())
    pods = (ended(23, "TrainingError"), running(attempt=2))
    decision = decide(Observed(run, (job(1, failed=True), job(2)), pods), at(50))
    assert decision.start is None
    assert decision.stop == ()
    assert (decision.status.attempt, decision.status.job.uid) == (2, "job-2")
    assert (decision.status.phase, decision.status.ended) == ("Running", None)


def test_a_forgotten_status_takes_over_a_running_attempt() -> None:
    decision = decide(Observed(make_run(), (job(3, created=at(-100)),), (running(attempt=3),)), at(50))
    assert (decision.start, decision.stop) == (None, ())
    assert (decision.status.attempt, decision.status.phase) == (3, "Running")
    assert decision.status.start_time == at(-100)


def test_an_older_attempt_that_still_runs_is_stopped() -> None:
    run = under_way(make_run())
    pods = (running(attempt=1), running(attempt=2))
    decision = decide(Observed(run, (job(1), job(2)), pods), at(50))
    assert [stop.attempt for stop in decision.stop] == [1]


def test_pods_whose_job_was_deleted_without_them_are_stopped() -> None:
    run = under_way(make_run())
    run = settled(Observed(run, (), (running(),)), 5)
    decision = decide(Observed(run, (), (running(),)), at(6))
    assert [(stop.job_name, stop.job_uid) for stop in decision.stop] == [("scores-0f1e2-1", "job-1")]
    assert decision.start is None


def test_only_the_last_attempt_before_the_current_one_is_kept_for_its_logs() -> None:
    run = ended_run(3)
    jobs = tuple(job(number, failed=True) for number in (1, 2, 3))
    pods = tuple(ended(143, attempt=number) for number in (1, 2, 3))
    decision = decide(Observed(run, jobs, pods), at(5))
    assert decision.start.attempt == 4
    assert [stop.attempt for stop in decision.stop] == [1, 2]


def test_a_replaced_attempt_has_no_say() -> None:
    run = under_way(make_run())
    seen = (beat(40, step=500, attempt=1), beat(45, step=7, attempt=2))
    status = decide(Observed(run, (job(2),), (running(attempt=2),), seen), at(50)).status
    assert status.progress.step == 7
