"""Whether a live attempt goes on: every rule that can end it, in order."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from trainjobs.api.policy import RunPolicy
from trainjobs.core.decide.attempt import Attempt
from trainjobs.core.decide.completion import without_result
from trainjobs.core.decide.echo import cause
from trainjobs.core.decide.ending import End, Verdict
from trainjobs.core.decide.failure import failure
from trainjobs.core.decide.hang import hang
from trainjobs.core.decide.loss import job_failed, job_lost, job_suspended, node_lost, pod_lost
from trainjobs.core.decide.observed import Patience
from trainjobs.core.decide.scheduling import image_pull, scheduling_timeout
from trainjobs.core.decide.start import start_timeout


def judge(
    attempt: Attempt, policy: RunPolicy, now: datetime, *, patience: Patience, moving: bool
) -> tuple[End | None, tuple[datetime, ...]]:
    """Return why the attempt is over (None: it goes on) and when to look again.

    What a node itself says comes before what is seen from outside, and that before the limits.
    """
    looks = []
    for verdict in _verdicts(attempt, policy, now, patience=patience, moving=moving):
        if isinstance(verdict, End):
            return verdict, ()
        if verdict is not None:
            looks.append(verdict)
    return None, tuple(looks)


def _verdicts(
    attempt: Attempt, policy: RunPolicy, now: datetime, *, patience: Patience, moving: bool
) -> Iterator[Verdict]:
    yield job_suspended(attempt)
    failed = cause(attempt, failure(attempt), node_lost(attempt, patience, now), patience, now)
    yield failed
    if isinstance(failed, datetime):
        # What follows from the failure (its job fails, the other pods are deleted) is not its cause.
        return
    yield without_result(attempt)
    yield job_lost(attempt)
    yield pod_lost(attempt)
    yield node_lost(attempt, patience, now)
    yield job_failed(attempt)
    yield image_pull(attempt, now)
    yield scheduling_timeout(
        attempt,
        timedelta(seconds=policy.scheduling_timeout_seconds),
        now,
        from_queue=policy.queue_name is not None,
    )
    yield start_timeout(attempt, timedelta(seconds=policy.start_timeout_seconds), now, moving=moving)
    yield hang(attempt, timedelta(seconds=policy.hang_timeout_seconds))
