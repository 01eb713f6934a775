"""A run that is deleted takes its stored data along, where `deletionPolicy: Delete` asks for it.

    CleanedUp  Unknown  Stopping         attempts end first: nobody may write any more
               Unknown  CleaningUp       the folder is being deleted
               False    CleanUpHindered  it cannot be, and why; after `HINDERED_FOR` the run goes without it

The run goes with an event that says what became of its data.
"""

from datetime import datetime, timedelta
from typing import Final

from trainjobs.api.conditions import ConditionType, Reason
from trainjobs.api.labels import FINALIZER
from trainjobs.api.status import RunStatus
from trainjobs.core.decide import conditions
from trainjobs.core.decide.decision import Decision, Event
from trainjobs.core.decide.observed import Observed
from trainjobs.core.decide.stopping import clear_at, stops
from trainjobs.core.decide.story import story

HINDERED_FOR: Final = timedelta(hours=1)
"""How long a clean-up may be hindered before the run goes, and its data stays."""


def deletion(observed: Observed, now: datetime) -> Decision:
    """Decide about a run that is being deleted.

    Kubernetes deletes its jobs after it. Only a run with our finalizer is still here for us: its attempts are
    stopped, then its stored data is deleted, then it may go. In a namespace that is being deleted nothing can
    be created any more, so it may go at once.
    """
    before = observed.run.status
    if FINALIZER not in observed.finalizers:
        return Decision(before)
    last_word = _last_word(observed, now)
    if last_word is not None:
        return Decision(before, events=(last_word,), remove_finalizer=True)
    halts, looks = stops(observed, now, live=None, keep=0)
    clear = clear_at(observed, now)
    if halts or clear is None or clear > now:
        looks = (*looks, clear) if clear is not None and clear > now else looks
        status = _stopping(observed, now)
        after = min(looks) - now if looks else None
        return Decision(status, stop=halts, events=story(before, status), requeue_after=after)
    return _cleaning(observed, now)


def guarded(observed: Observed, *, starts: bool) -> tuple[bool, bool]:
    """Whether the finalizer of a run that is not being deleted has to be added, and whether removed.

    Not before the first attempt: what never started has stored nothing, and is held up for nothing.
    """
    wanted = _wanted(observed)
    there = FINALIZER in observed.finalizers
    begun = starts or observed.run.status.attempt > 0 or bool(observed.jobs)
    return wanted and begun and not there, there and not wanted


def never_ran(observed: Observed) -> bool:
    """Whether no attempt was ever started, as far as anybody knows."""
    attempt = max(observed.run.status.attempt, observed.stored_attempt)
    return attempt == 0 and not observed.jobs and not observed.pods


def _wanted(observed: Observed) -> bool:
    return observed.run.spec.run_policy.deletion_policy == "Delete"


def _last_word(observed: Observed, now: datetime) -> Event | None:
    """What is told of a run that may go; None for one that may not yet."""
    clean_up, place = observed.clean_up, observed.storage
    if never_ran(observed) or place is None:
        return Event("Normal", Reason.CLEANED_UP, "no attempt is known that has stored anything")
    if not _wanted(observed):
        message = f"spec.runPolicy.deletionPolicy is not Delete: {place.uri} stays"
        return Event("Normal", Reason.DATA_LEFT, message)
    if clean_up.stage == "Done":
        return Event("Normal", Reason.CLEANED_UP, f"{place.uri} is deleted")
    if clean_up.namespace_terminating:
        why = "the namespace is being deleted, and no clean-up can be created in it"
        return Event("Warning", Reason.DATA_LEFT, f"{place.uri} stays: {why}; delete that folder by hand")
    given_up = _given_up_at(observed.run.status)
    if clean_up.hindrance and given_up is not None and given_up <= now:
        message = f"{place.uri} stays; delete that folder by hand. {clean_up.hindrance}"
        return Event("Warning", Reason.DATA_LEFT, message)
    return None


def _given_up_at(status: RunStatus) -> datetime | None:
    """When the run goes without its clean-up, unless that gets on; None where nothing hinders it."""
    told = conditions.find(status, ConditionType.CLEANED_UP)
    hindered = told is not None and told.status == "False"
    return told.last_transition_time + HINDERED_FOR if told is not None and hindered else None


def _stopping(observed: Observed, now: datetime) -> RunStatus:
    place = observed.storage.uri if observed.storage is not None else ""
    message = f"the run's pods are stopped; when nothing of them runs any more, {place} is deleted"
    status, type_ = observed.run.status, ConditionType.CLEANED_UP
    return conditions.unknown(status, type_, Reason.STOPPING, message, now)


def _cleaning(observed: Observed, now: datetime) -> Decision:
    """The clean-up is started, goes on, or is hindered: then it is said why, and until when it is tried."""
    before, clean_up = observed.run.status, observed.clean_up
    place = observed.storage.uri if observed.storage is not None else ""
    status, type_ = before, ConditionType.CLEANED_UP
    if clean_up.hindrance:
        end = _given_up_at(status) or now + HINDERED_FOR
        ahead = (
            f"at {end:%H:%M %Z} the run goes without it, and {place} stays; "
            "it goes at once if you set spec.runPolicy.deletionPolicy to Retain"
        )
        status = conditions.false(
            status, type_, Reason.CLEAN_UP_HINDERED, f"{clean_up.hindrance}; {ahead}", now
        )
    elif clean_up.stage == "UnderWay" or _given_up_at(status) is None:
        # One that was hindered is so until it is seen under way: the operator may only have forgotten why.
        message = clean_up.message or f"{place} is being deleted"
        status = conditions.unknown(status, type_, Reason.CLEANING_UP, message, now)
    looks = [one for one in (clean_up.again, _given_up_at(status)) if one is not None and one > now]
    return Decision(
        status,
        events=story(before, status),
        delete_stored_data=clean_up.stage == "Absent" and (clean_up.again is None or clean_up.again <= now),
        requeue_after=min(looks) - now if looks else None,
    )
