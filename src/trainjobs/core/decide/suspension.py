"""A suspended run saves, stops and waits; when it is resumed, its next attempt goes on from there."""

from datetime import datetime

from trainjobs.api.conditions import ConditionType, Reason
from trainjobs.api.policy import RunPolicy
from trainjobs.api.status import RunStatus
from trainjobs.core.decide import conditions


def clock(status: RunStatus, policy: RunPolicy, now: datetime) -> RunStatus:
    """`status` with the time of a suspension that begins, or counted when it is over.

    Only time after the first start counts: the deadline's clock does not run before.
    """
    if policy.suspend and status.suspend_time is None:
        return status.model_copy(update={"suspend_time": now})
    if policy.suspend or status.suspend_time is None:
        return status
    spent = 0
    if status.start_time is not None:
        spent = max(0, round((now - max(status.suspend_time, status.start_time)).total_seconds()))
    return status.model_copy(
        update={"suspend_time": None, "suspended_seconds": status.suspended_seconds + spent}
    )


def awake(status: RunStatus, now: datetime) -> RunStatus:
    """`status` of a run that was resting and is told to go on."""
    if conditions.reason_of(status, ConditionType.SCHEDULED) != Reason.SUSPENDED:
        return status
    if status.attempt == 0:
        return conditions.without(status, ConditionType.SCHEDULED, ConditionType.RUNNING)
    message = "the next attempt goes on from the newest checkpoint"
    status = conditions.false(status, ConditionType.SCHEDULED, Reason.RESTARTING, message, now)
    return conditions.false(status, ConditionType.RUNNING, Reason.RESTARTING, message, now)


def resting(status: RunStatus, now: datetime) -> RunStatus:
    """`status` of a run that stands still because it was told to."""
    message = "spec.runPolicy.suspend is true; set it to false to go on"
    status = conditions.false(status, ConditionType.SCHEDULED, Reason.SUSPENDED, message, now)
    return conditions.false(status, ConditionType.RUNNING, Reason.SUSPENDED, message, now)
