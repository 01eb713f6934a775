"""A run may be given a longest time; what it spent suspended does not count."""

from datetime import datetime, timedelta

from trainjobs.api.conditions import Reason
from trainjobs.api.policy import RunPolicy
from trainjobs.api.status import RunStatus
from trainjobs.core.decide.ending import End, Verdict


def deadline(status: RunStatus, policy: RunPolicy, now: datetime) -> Verdict:
    """Return that the run has used up `activeDeadlineSeconds`, or when it will have."""
    if status.start_time is None or policy.active_deadline_seconds is None or status.suspend_time is not None:
        return None
    allowed = timedelta(seconds=policy.active_deadline_seconds + status.suspended_seconds)
    due = status.start_time + allowed
    if now < due:
        return due
    return End(Reason.DEADLINE_EXCEEDED, f"not finished within {policy.active_deadline_seconds} s")
