"""Deleted runs, and what finished ones leave."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

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
    with_status,
)
from trainjobs.api.conditions import Reason
from trainjobs.api.labels import FINALIZER
from trainjobs.api.status import StorageStatus
from trainjobs.core.decide import decide
from trainjobs.core.decide.decision import Event
from trainjobs.core.decide.deletion import HINDERED_FOR
from trainjobs.core.decide.observed import CleanUp, Observed

DELETE = {"deletionPolicy": "Delete"}
STORAGE = StorageStatus(uri="s3://runs/scores")


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


def leaving(run=None, *children, **changes) -> Observed:
    """A run that has started, is deleted and held by our finalizer."""
    run = run or deleted(under_way(make_run(policy=DELETE)))
    return Observed(run, *children, finalizers=(FINALIZER,), storage=STORAGE, **changes)


def told(decision):
    return [(event.type, event.reason) for event in decision.events]


def test_first_the_attempt_then_the_data_then_the_run() -> None:
    run = deleted(under_way(make_run(policy=DELETE)))
    first = decide(leaving(run, (job(),), (running(),)), at(100))
    assert [stop.attempt for stop in first.stop] == [1]
    assert (condition(first.status, "CleanedUp"), told(first)) == (
        ("Unknown", "Stopping"),
        [("Normal", "Stopping")],
    )
    run = with_status(run, first.status)
    second = decide(leaving(run, (), (running(deleted=at(100)),)), at(101))
    assert (second.stop, second.delete_stored_data, second.remove_finalizer) == ((), False, False)
    assert second.requeue_after.total_seconds() == 599
    third = decide(leaving(run), at(110))
    assert (third.delete_stored_data, third.remove_finalizer) == (True, False)
    assert (condition(third.status, "CleanedUp"), told(third)) == (
        ("Unknown", "CleaningUp"),
        [("Normal", "CleaningUp")],
    )
    run = with_status(run, third.status)
    last = decide(leaving(run, clean_up=CleanUp("Done")), at(120))
    assert (last.delete_stored_data, last.remove_finalizer) == (False, True)
    assert last.events == (Event("Normal", Reason.CLEANED_UP, "s3://runs/scores is deleted"),)


def test_what_hinders_the_clean_up_is_said_tried_again_and_bounded() -> None:
    hindered = CleanUp(hindrance="the API server refuses Job x: exceeded quota", again=at(120))
    observed = leaving(clean_up=hindered)
    first = decide(observed, at(110))
    assert (condition(first.status, "CleanedUp"), told(first)) == (
        ("False", "CleanUpHindered"),
        [("Warning", "CleanUpHindered")],
    )
    said = first.events[0].message
    assert "exceeded quota; at 13:01 UTC the run goes without it, and s3://runs/scores stays" in said
    assert (first.delete_stored_data, first.requeue_after.total_seconds()) == (False, 10)
    run = with_status(observed.run, first.status)
    assert decide(leaving(run, clean_up=hindered), at(120)).delete_stored_data
    # An operator that was started anew knows of no refusal: it asks, and forgets nothing that was said.
    anew = decide(leaving(run), at(130))
    assert (anew.status, anew.delete_stored_data) == (run.status, True)
    late = replace(hindered, again=at(4000))
    early = decide(leaving(run, clean_up=late), at(3709))
    assert (early.remove_finalizer, early.requeue_after.total_seconds()) == (False, 1)
    last = decide(leaving(run, clean_up=late), at(3710))
    assert (last.remove_finalizer, last.delete_stored_data) == (True, False)
    assert told(last) == [("Warning", "DataLeft")]
    assert last.events[0].message.startswith("s3://runs/scores stays; delete that folder by hand. the API")


def test_a_clean_up_that_gets_on_after_all_is_waited_for() -> None:
    run = deleted(under_way(make_run(policy=DELETE)))
    hindered = decide(leaving(run, clean_up=CleanUp("UnderWay", hindrance="no machine takes it")), at(110))
    assert not hindered.delete_stored_data
    run = with_status(run, hindered.status)
    goes_on = decide(leaving(run, clean_up=CleanUp("UnderWay", "Job x deletes it", again=at(200))), at(150))
    assert condition(goes_on.status, "CleanedUp") == ("Unknown", "CleaningUp")
    run = with_status(run, goes_on.status)
    much_later = decide(leaving(run, clean_up=CleanUp("UnderWay", "Job x deletes it")), at(90_000))
    assert (much_later.remove_finalizer, much_later.status, much_later.events) == (False, run.status, ())


def test_in_a_namespace_that_is_being_deleted_it_may_go_at_once() -> None:
    run = deleted(under_way(make_run(policy=DELETE)))
    decision = decide(
        leaving(run, (job(),), (running(),), clean_up=CleanUp(namespace_terminating=True)), at(100)
    )
    assert (decision.remove_finalizer, decision.delete_stored_data, decision.stop) == (True, False, ())
    assert told(decision) == [("Warning", "DataLeft")]
    assert "s3://runs/scores stays: the namespace is being deleted" in decision.events[0].message


def test_a_run_that_never_ran_has_nothing_to_take_along() -> None:
    run = deleted(make_run(policy=DELETE))
    assert decide(leaving(run), at(100)).remove_finalizer


def test_who_lets_the_data_stay_after_all_is_held_up_no_longer() -> None:
    run = deleted(under_way(make_run()))
    decision = decide(leaving(run, clean_up=CleanUp("UnderWay", hindrance="no room")), at(100))
    assert (decision.remove_finalizer, told(decision)) == (True, [("Normal", "DataLeft")])


class Leave(RuleBasedStateMachine):
    """A run is deleted, and whatever can go wrong with its clean-up does."""

    @initialize(pods=st.booleans())
    def begin(self, pods: bool) -> None:
        self.now = at(100)
        self.run = deleted(under_way(make_run(policy=DELETE)))
        self.pods = (running(deleted=at(100)),) if pods else ()
        self.clean_up = CleanUp()
        self.hindered_since = None
        self.gone = False

    @rule(seconds=st.sampled_from([1, 60, 900, 3600]))
    def time_passes(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @rule()
    def the_pods_are_gone(self) -> None:
        self.pods = ()

    @rule(
        stage=st.sampled_from(["Absent", "UnderWay", "UnderWay", "Done"]),
        hindrance=st.sampled_from(["", "a quota", "a webhook"]),
        again=st.sampled_from([None, 0, 300]),
        terminating=st.sampled_from([False] * 9 + [True]),
    )
    def the_clean_up_is(self, stage: str, hindrance: str, again: int | None, terminating: bool) -> None:
        due = None if again is None else self.now + timedelta(seconds=again)
        self.clean_up = CleanUp(stage, "", "" if stage == "Done" else hindrance, due, terminating)

    @rule()
    def look(self) -> None:
        if self.gone:
            return
        observed = leaving(self.run, (), self.pods, clean_up=self.clean_up)
        decision = decide(observed, self.now)
        clear = not self.pods or self.pods[0].deleted + timedelta(minutes=10) <= self.now
        assert not (decision.delete_stored_data and not clear), "data is deleted under a pod that may write"
        assert decision.start is None
        if decision.remove_finalizer:
            self.check_last_word(decision)
        elif self.clean_up.hindrance and clear:
            assert condition(decision.status, "CleanedUp")[0] == "False"
            self.hindered_since = self.hindered_since or self.now
            assert decision.requeue_after is not None
            assert self.now + decision.requeue_after <= self.hindered_since + HINDERED_FOR
        elif self.clean_up.stage == "UnderWay" and clear:
            self.hindered_since = None
        if not decision.remove_finalizer:
            self.run = with_status(self.run, decision.status)
            again = decide(replace(observed, run=self.run), self.now)
            assert (again.status, again.events) == (decision.status, ()), "the same is told twice"
            assert again.requeue_after != timedelta(), "a look that can do nothing is repeated at once"

    def check_last_word(self, decision) -> None:
        (event,) = decision.events
        done, ending = self.clean_up.stage == "Done", self.clean_up.namespace_terminating
        assert done or ending or self.now >= self.hindered_since + HINDERED_FOR
        assert (event.reason == "CleanedUp") == done
        assert "s3://runs/scores" in event.message
        self.gone = True


TestLeave = Leave.TestCase
TestLeave.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)


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
