"""A run that is deleted takes its stored data along, where `deletionPolicy: Delete` asks for it."""

from datetime import datetime

from trainjobs.api.conditions import ConditionType, Reason
from trainjobs.api.labels import FINALIZER
from trainjobs.api.status import RunStatus
from trainjobs.core.decide import conditions
from trainjobs.core.decide.decision import Decision
from trainjobs.core.decide.observed import Observed
from trainjobs.core.decide.stopping import clear_at, stops


def deletion(observed: Observed, now: datetime) -> Decision:
    """Decide about a run that is being deleted.

    Kubernetes deletes its jobs after it. Only a run with our finalizer is still here for us: its attempts are
    stopped, then its stored data is deleted, then it may go. In a namespace that is being deleted nothing can
    be created any more, so it may go at once.
    """
    status = observed.run.status
    if FINALIZER not in observed.finalizers:
        return Decision(status)
    wanted = observed.run.spec.run_policy.deletion_policy == "Delete"
    never_ran = max(status.attempt, observed.stored_attempt) == 0 and not observed.jobs and not observed.pods
    if observed.namespace_terminating or observed.stored_data_deleted or never_ran or not wanted:
        return Decision(status, remove_finalizer=True)
    halts, looks = stops(observed, now, live=None, keep=0)
    clear = clear_at(observed, now)
    if halts or clear is None or clear > now:
        looks = (*looks, clear) if clear is not None and clear > now else looks
        return Decision(status, stop=halts, requeue_after=min(looks) - now if looks else None)
    return Decision(_hindered(status, observed, now), delete_stored_data=True)


def guarded(observed: Observed, *, starts: bool) -> tuple[bool, bool]:
    """Whether the finalizer of a run that is not being deleted has to be added, and whether removed.

    Not before the first attempt: what never started has stored nothing, and is held up for nothing.
    """
    wanted = observed.run.spec.run_policy.deletion_policy == "Delete"
    there = FINALIZER in observed.finalizers
    begun = starts or observed.run.status.attempt > 0 or bool(observed.jobs)
    return wanted and begun and not there, there and not wanted


def _hindered(status: RunStatus, observed: Observed, now: datetime) -> RunStatus:
    if not observed.clean_up_message:
        return status
    return conditions.false(
        status, ConditionType.SYNCED, Reason.STORAGE_UNAVAILABLE, observed.clean_up_message, now
    )
