"""An attempt that finds no room in the cluster, or no image, is given up after a while."""

from datetime import datetime, timedelta
from typing import Final

from trainjobs.api.conditions import Reason
from trainjobs.core.decide.attempt import Attempt, has_machine, has_started
from trainjobs.core.decide.ending import End, Verdict

IMAGE_GRACE: Final = timedelta(minutes=10)
"""How long the kubelet may try again to pull an image."""
_PULLING: Final = frozenset(
    {"ErrImagePull", "ImagePullBackOff", "RegistryUnavailable", "ErrImageNeverPull", "InvalidImageName"}
)


def scheduling_timeout(attempt: Attempt, timeout: timedelta, now: datetime, *, from_queue: bool) -> Verdict:
    """Return that a node has waited for a machine longer than `schedulingTimeoutSeconds`, or when it has.

    Time in a queue does not count: the queue has its own order, and tells nobody when its turn came.
    """
    job = attempt.job
    if job is None or job.suspended:
        return None
    waiting = [pod for pod in attempt.pods if not has_machine(pod)]
    if not waiting and (attempt.pods or from_queue):
        return None
    since = min((pod.created for pod in waiting), default=job.created)
    if now < since + timeout:
        return since + timeout
    said = next((pod.scheduling_message for pod in waiting if pod.scheduling_message), "no pod was made")
    return End(Reason.SCHEDULING_TIMEOUT, f"no room for {timeout.total_seconds():.0f} s: {said}")


def image_pull(attempt: Attempt, now: datetime) -> Verdict:
    """Return that a node's image cannot be had, or when that will be given up."""
    failing = [pod for pod in attempt.pods if pod.waiting_reason in _PULLING and not has_started(pod)]
    if not failing:
        return None
    due = (attempt.scheduled_since or now) + IMAGE_GRACE
    if now < due:
        return due
    pod = failing[0]
    said = pod.waiting_message or pod.waiting_reason
    return End(Reason.IMAGE_PULL_FAILED, f"node {pod.node_rank}: {said}", node=pod.name)
