"""The one word that a column shows; it follows from the conditions and decides nothing."""

from trainjobs.api.conditions import ConditionType, Phase, Reason
from trainjobs.api.status import RunStatus
from trainjobs.core.decide import conditions
from trainjobs.core.decide.attempt import ended_number


def phase(status: RunStatus) -> Phase:
    """The phase of a status."""
    if conditions.holds(status, ConditionType.SUCCEEDED):
        return Phase.SUCCEEDED
    if conditions.holds(status, ConditionType.FAILED):
        return Phase.FAILED
    scheduled = conditions.reason_of(status, ConditionType.SCHEDULED)
    if scheduled == Reason.SUSPENDED:
        return Phase.SUSPENDED
    if status.attempt and status.attempt == ended_number(status):
        # While a suspended run still saves and stops, it runs.
        return Phase.RUNNING if status.suspend_time is not None else Phase.RESTARTING
    if status.attempt == 0:
        return _before_the_first(status)
    if scheduled == Reason.QUEUED:
        return Phase.QUEUED
    if conditions.holds(status, ConditionType.RUNNING):
        return Phase.RUNNING
    if conditions.holds(status, ConditionType.SCHEDULED):
        return Phase.STARTING
    return Phase.PENDING


def _before_the_first(status: RunStatus) -> Phase:
    ready = conditions.find(status, ConditionType.DEPENDENCIES_READY)
    accepted = conditions.holds(status, ConditionType.ACCEPTED)
    return Phase.WAITING if accepted and ready is not None and ready.status == "False" else Phase.PENDING
