"""Deleted runs, and what finished ones leave."""

import pytest

from tests.unit.core.decide.building import (
    at,
    condition,
    ended,
    job,
    make_run,
    onward,
    running,
    settled,
    under_way,
)
from trainjobs.api.labels import FINALIZER
from trainjobs.core.decide import decide
from trainjobs.core.decide.observed import Observed

DELETE = {"deletionPolicy": "Delete"}


def deleted(run):
    meta = run.metadata.model_copy(update={"deletion_timestamp": at(100)})
    return run.model_copy(update={"metadata": meta})


@pytest.mark.parametrize(
    ("policy", "finalizers", "add", "remove"),
    [
        ({}, (), False, False),
        (DELETE, (), True, False),
        (DELETE, (FINALIZER,), False, False),
        ({}, (FINALIZER,), False, True),
        ({}, ("another/finalizer",), False, False),
    ],
)
def test_only_a_run_that_takes_its_data_along_has_a_finalizer(policy, finalizers, add, remove) -> None:
    decision = decide(Observed(under_way(make_run(policy=policy)), (job(),), finalizers=finalizers), at(0))
    assert (decision.add_finalizer, decision.remove_finalizer) == (add, remove)


def test_no_run_has_a_finalizer_before_its_first_start() -> None:
    run = make_run(policy=DELETE, depends_on="base")
    assert not decide(Observed(run), at(0)).add_finalizer
    starting = onward(Observed(make_run(policy=DELETE)), at(0))
    assert (starting.start is not None, starting.add_finalizer) == (True, True)


def test_without_our_finalizer_nothing_is_done_and_nothing_started() -> None:
    run = deleted(under_way(make_run()))
    for jobs in ((job(),), ()):
        decision = decide(Observed(run, jobs, finalizers=("orphan",)), at(100))
        assert (decision.start, decision.stop, decision.status) == (None, (), run.status)


def test_first_the_attempt_then_the_data_then_the_run() -> None:
    run = deleted(under_way(make_run(policy=DELETE)))
    first = decide(Observed(run, (job(),), (running(),), finalizers=(FINALIZER,)), at(100))
    assert [stop.attempt for stop in first.stop] == [1]
    second = decide(Observed(run, (), (running(deleted=at(100)),), finalizers=(FINALIZER,)), at(101))
    assert (second.stop, second.delete_stored_data, second.remove_finalizer) == ((), False, False)
    assert second.requeue_after.total_seconds() == 599
    third = decide(Observed(run, finalizers=(FINALIZER,)), at(110))
    assert (third.delete_stored_data, third.remove_finalizer) == (True, False)
    last = decide(Observed(run, finalizers=(FINALIZER,), stored_data_deleted=True), at(120))
    assert (last.delete_stored_data, last.remove_finalizer) == (False, True)


def test_what_hinders_the_clean_up_is_said() -> None:
    run = deleted(under_way(make_run(policy=DELETE)))
    status = decide(Observed(run, finalizers=(FINALIZER,), clean_up_message="no such bucket"), at(110)).status
    assert condition(status, "Synced") == ("False", "StorageUnavailable")


def test_in_a_namespace_that_is_being_deleted_it_may_go_at_once() -> None:
    run = deleted(under_way(make_run(policy=DELETE)))
    observed = Observed(run, (job(),), (running(),), finalizers=(FINALIZER,), namespace_terminating=True)
    decision = decide(observed, at(100))
    assert (decision.remove_finalizer, decision.delete_stored_data) == (True, False)


def test_a_run_that_never_ran_has_nothing_to_take_along() -> None:
    run = deleted(make_run(policy=DELETE))
    assert decide(Observed(run, finalizers=(FINALIZER,)), at(100)).remove_finalizer


def test_a_failed_attempt_stays_for_its_logs_until_the_time_is_over() -> None:
    run = under_way(make_run(policy={"ttlSecondsAfterFinished": 60}))
    children = (job(failed=True),), (ended(11, "InvalidData"),)
    decision = decide(Observed(run, *children), at(10))
    assert (decision.status.phase, decision.stop) == ("Failed", ())
    run = settled(Observed(run, *children), 10)
    early = decide(Observed(run, *children), at(30))
    assert (early.stop, early.requeue_after.total_seconds()) == ((), 40)
    late = decide(Observed(run, *children), at(70))
    assert [stop.job_uid for stop in late.stop] == ["job-1"]
    assert late.status == run.status
    assert decide(Observed(run), at(80)).requeue_after is None
