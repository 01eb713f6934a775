"""What a finished run leaves in the cluster goes away after a while; the run itself stays."""

from datetime import datetime, timedelta

from trainjobs.api.policy import RunPolicy
from trainjobs.api.status import RunStatus


def expires(status: RunStatus, policy: RunPolicy) -> datetime | None:
    """When the jobs and pods of a finished run are to go, or None while it is not finished."""
    if status.completion_time is None:
        return None
    return status.completion_time + timedelta(seconds=policy.ttl_seconds_after_finished)
