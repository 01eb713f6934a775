"""How an attempt and a run end."""

from dataclasses import dataclass
from datetime import datetime

from trainjobs.api.conditions import ConditionType, Reason
from trainjobs.api.status import AttemptEnd, FailureStatus, RunStatus
from trainjobs.core.decide import conditions
from trainjobs.core.failures import Budget, kind_of


@dataclass(frozen=True, slots=True)
class End:
    """Why an attempt is over."""

    reason: Reason
    message: str
    node: str = ""
    exit_code: int | None = None
    advice: str = ""
    """The agent's own, where it has better advice than the table."""
    last_lines: str = ""
    launched: bool = True
    """Whether the node that failed had launched its training; True where nobody knows."""


Verdict = End | datetime | None
"""What a rule says of an attempt: it is over; look again at that time; nothing."""


def attempt_ended(
    status: RunStatus, attempt: int, reason: Reason, now: datetime, budget: Budget = Budget.NONE
) -> RunStatus:
    """`status` with that attempt over: it is stopped, and never taken for a running one again."""
    message = f"attempt {attempt} has ended: {reason}"
    status = status.model_copy(
        update={
            "attempt": attempt,
            "ended": AttemptEnd(attempt=attempt, reason=reason, budget=budget.value, time=now),
        }
    )
    status = conditions.false(status, ConditionType.SCHEDULED, Reason.STOPPING, message, now)
    return conditions.false(status, ConditionType.RUNNING, Reason.STOPPING, message, now)


def with_failure(status: RunStatus, end: End) -> RunStatus:
    """`status` with how its attempt failed."""
    kind = kind_of(end.reason)
    failure = FailureStatus(
        reason=end.reason,
        exit_code=kind.exit_code if end.exit_code is None else end.exit_code,
        node=end.node,
        message=conditions.clipped(end.message),
        advice=conditions.clipped(end.advice or kind.advice),
        last_lines=end.last_lines[-4096:],
    )
    return status.model_copy(update={"failure": failure})


def unsynced(status: RunStatus, end: End, now: datetime) -> RunStatus:
    """`status` that says so where storage ended the attempt, until another attempt has reached it."""
    if end.reason not in (Reason.STORAGE_UNAVAILABLE, Reason.STORAGE_UNUSABLE):
        return status
    return conditions.false(status, ConditionType.SYNCED, end.reason, end.message, now)


def run_failed(status: RunStatus, reason: Reason, message: str, now: datetime) -> RunStatus:
    """`status` of a run that has failed for good."""
    for type_ in (ConditionType.SCHEDULED, ConditionType.RUNNING):
        if conditions.find(status, type_) is not None:
            status = conditions.false(status, type_, reason, message, now)
    status = conditions.true(status, ConditionType.FINISHED, reason, message, now)
    status = conditions.false(status, ConditionType.SUCCEEDED, reason, message, now)
    status = conditions.true(status, ConditionType.FAILED, reason, message, now)
    return status.model_copy(update={"completion_time": now, "suspend_time": None})


def run_succeeded(status: RunStatus, message: str, now: datetime) -> RunStatus:
    """`status` of a run that has reached its end."""
    for type_ in (ConditionType.FINISHED, ConditionType.SUCCEEDED, ConditionType.SYNCED):
        status = conditions.true(status, type_, Reason.SUCCEEDED, message, now)
    for type_ in (ConditionType.FAILED, ConditionType.RUNNING):
        status = conditions.false(status, type_, Reason.SUCCEEDED, message, now)
    return status.model_copy(update={"completion_time": now, "suspend_time": None, "failure": None})
