"""The run's story in events: what changed between two statuses, and so nothing twice."""

from collections.abc import Iterator
from typing import Final

from trainjobs.api.conditions import ConditionType, Reason
from trainjobs.api.status import Condition, RunStatus
from trainjobs.core.decide import conditions
from trainjobs.core.decide.attempt import ended_number
from trainjobs.core.decide.decision import Event
from trainjobs.core.decide.restart import not_before

_TOLD_WHEN_FALSE: Final = (ConditionType.ACCEPTED, ConditionType.SYNCED, ConditionType.HEALTHY)
_TOLD_THOUGH_TRUE: Final = (Reason.RETENTION_FAILED, Reason.PARTS_MISSING)
_TOLD_WHEN_TRUE: Final = (ConditionType.SCHEDULED, ConditionType.RUNNING)


def story(before: RunStatus, after: RunStatus) -> tuple[Event, ...]:
    """What is to be told of the change from one status to the next."""
    return (
        *_refusals(before, after),
        *_waiting(before, after),
        *_ends(before, after),
        *_suspension(before, after),
        *_attempts(before, after),
        *_damage(before, after),
        *_finish(before, after),
        *_clean_up(before, after),
    )


def _refusals(before: RunStatus, after: RunStatus) -> Iterator[Event]:
    for type_ in _TOLD_WHEN_FALSE:
        new = _turned(before, after, type_)
        if new is not None and (new.status == "False" or new.reason in _TOLD_THOUGH_TRUE):
            yield Event("Warning", Reason(new.reason), new.message)
        elif new is not None and _is_relief(before, after, type_):
            yield Event("Normal", Reason(new.reason), new.message)


def _is_relief(before: RunStatus, after: RunStatus, type_: ConditionType) -> bool:
    """Whether a condition that is true again is worth a word: not when it merely began, nor at the end."""
    was = conditions.find(before, type_)
    return was is not None and was.status == "False" and not conditions.holds(after, ConditionType.FINISHED)


def _waiting(before: RunStatus, after: RunStatus) -> Iterator[Event]:
    new = _turned(before, after, ConditionType.DEPENDENCIES_READY)
    if new is not None and (
        new.status == "False" or conditions.find(before, ConditionType.DEPENDENCIES_READY)
    ):
        yield Event("Normal", Reason(new.reason), new.message)


def _ends(before: RunStatus, after: RunStatus) -> Iterator[Event]:
    if after.ended is None or ended_number(after) <= ended_number(before):
        return
    reason = Reason(after.ended.reason)
    if reason is Reason.SUSPENDED:
        yield Event("Normal", reason, f"attempt {after.ended.attempt} saves and stops")
    elif reason != conditions.reason_of(after, ConditionType.FINISHED):
        said = after.failure.message if after.failure else ""
        due = not_before(after)
        ahead = f"; the next attempt starts at {due:%H:%M:%S %Z}" if due is not None else ""
        yield Event("Warning", reason, f"attempt {after.ended.attempt}: {said}{ahead}")


def _suspension(before: RunStatus, after: RunStatus) -> Iterator[Event]:
    if conditions.holds(after, ConditionType.FINISHED):
        return
    if before.suspend_time is None and after.suspend_time is not None and after.ended == before.ended:
        yield Event("Normal", Reason.SUSPENDED, "the run waits: spec.runPolicy.suspend is true")
    if before.suspend_time is not None and after.suspend_time is None:
        yield Event("Normal", Reason.RESUMED, "the run goes on")


def _attempts(before: RunStatus, after: RunStatus) -> Iterator[Event]:
    if after.attempt > max(before.attempt, ended_number(after)):
        counts = f"restarts {after.restarts}, of infrastructure {after.infrastructure_restarts}"
        message = f"attempt {after.attempt}" + (f" ({counts})" if before.attempt else "")
        yield Event("Normal", Reason.ATTEMPT_CREATED, message)
    if conditions.reason_of(after, ConditionType.SCHEDULED) == Reason.QUEUED:
        new = _turned(before, after, ConditionType.SCHEDULED)
        if new is not None:
            yield Event("Normal", Reason.QUEUED, new.message)
    for type_ in _TOLD_WHEN_TRUE:
        new = _turned(before, after, type_)
        if new is not None and new.status == "True":
            yield Event("Normal", Reason(new.reason), f"attempt {after.attempt}: {new.message}")


def _damage(before: RunStatus, after: RunStatus) -> Iterator[Event]:
    known = {one.uri for one in before.damaged_checkpoints}
    for one in after.damaged_checkpoints:
        if one.uri not in known:
            yield Event("Warning", Reason.CHECKPOINT_DAMAGED, one.message)


def _finish(before: RunStatus, after: RunStatus) -> Iterator[Event]:
    new = conditions.find(after, ConditionType.FINISHED)
    if new is None or new.status != "True" or conditions.holds(before, ConditionType.FINISHED):
        return
    failed = conditions.holds(after, ConditionType.FAILED)
    yield Event("Warning" if failed else "Normal", Reason(new.reason), new.message)


def _clean_up(before: RunStatus, after: RunStatus) -> Iterator[Event]:
    new = _turned(before, after, ConditionType.CLEANED_UP)
    if new is not None:
        yield Event("Warning" if new.status == "False" else "Normal", Reason(new.reason), new.message)


def _turned(before: RunStatus, after: RunStatus, type_: ConditionType) -> Condition | None:
    """The condition, where its status or reason is another than before; its words alone are no news."""
    old, new = conditions.find(before, type_), conditions.find(after, type_)
    if new is None or (old is not None and (old.status, old.reason) == (new.status, new.reason)):
        return None
    return new
