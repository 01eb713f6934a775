"""An attempt that has lost its job, a pod or a machine is over: the nodes that are left cannot go on."""

from datetime import datetime, timedelta
from typing import Final

from trainjobs.api.conditions import Reason
from trainjobs.core.decide.attempt import UID_LENGTH, Attempt, has_machine, has_started, has_succeeded
from trainjobs.core.decide.ending import End, Verdict
from trainjobs.core.decide.observed import Patience, PodState
from trainjobs.core.reports import Heartbeat

STUCK_GRACE: Final = timedelta(minutes=10)
"""How long after its time to go a pod on an answering machine may take to end, before it counts as lost."""


def job_lost(attempt: Attempt) -> End | None:
    """Return that the attempt's job was deleted or replaced by somebody else, or None."""
    job = attempt.job
    if job is None:
        return End(Reason.POD_LOST, "the attempt's job is gone")
    if job.deleted is not None:
        return End(Reason.POD_LOST, f"the attempt's job {job.name} is being deleted")
    return None


def job_suspended(attempt: Attempt) -> End | None:
    """Return that the job was suspended after its pods had started, or None.

    A queue takes back room that way. The job's pods are deleted, and would start a second time under the same
    attempt.
    """
    if attempt.job is not None and attempt.job.suspended and attempt.started:
        return End(Reason.PREEMPTED, "the attempt's job was suspended: its queue needs the room")
    return None


def pod_lost(attempt: Attempt) -> End | None:
    """Return that a pod that had started is gone, going, or replaced by another, or None."""
    for rank in range(attempt.nodes):
        remembered, pods = attempt.remembered(rank), attempt.on(rank)
        same = [pod for pod in pods if pod.uid.startswith(remembered)]
        if remembered and not same:
            what = "was replaced by another" if pods else "is gone"
            return End(Reason.POD_LOST, f"the pod of node {rank} {what}")
        for pod in same:
            if pod.deleted is not None and has_started(pod) and not has_succeeded(pod):
                return End(Reason.POD_LOST, f"the pod of node {rank} is being deleted", node=pod.name)
    return None


def node_lost(attempt: Attempt, patience: Patience, now: datetime) -> Verdict:
    """Return that a machine has not answered for longer than its grace, or when that will be."""
    times = []
    for pod in attempt.pods:
        when = machine_lost_at(pod, attempt.heartbeat(pod.node_rank), patience)
        if when is None or pod.ended or not has_machine(pod):
            continue
        if when <= now:
            return End(
                Reason.NODE_LOST, f"machine {pod.node} of node {pod.node_rank} does not answer", node=pod.name
            )
        times.append(when)
    return min(times, default=None)


def job_failed(attempt: Attempt) -> End | None:
    """Return that the job failed though none of the pods that are left did, or None."""
    if attempt.job is not None and attempt.job.failed:
        return End(Reason.UNKNOWN, attempt.job.message or "the job failed without a word")
    return None


def started_pods(attempt: Attempt) -> list[str]:
    """What the status has to remember of the pods that have started."""
    seen = [
        attempt.remembered(rank)
        or next((pod.uid[:UID_LENGTH] for pod in attempt.on(rank) if has_started(pod)), "")
        for rank in range(attempt.nodes)
    ]
    return seen if any(seen) else []


def machine_lost_at(pod: PodState, last: Heartbeat | None, patience: Patience) -> datetime | None:
    """When the pod's machine counts as lost, or None while it answers.

    An agent that is still heard lives, whatever the node controller sees of its machine; whoever has only
    begun to listen gives it the time to be heard.
    """
    if pod.ready_lost is None:
        return None
    return _later(pod.ready_lost, last, patience) + patience.grace


def lost_at(pod: PodState, last: Heartbeat | None, patience: Patience) -> datetime | None:
    """When a pod that does not end counts as lost, or None where it has to be waited for."""
    machine = machine_lost_at(pod, last, patience)
    stuck = _later(pod.deleted, last, patience) + STUCK_GRACE if pod.deleted is not None else None
    return min((when for when in (machine, stuck) if when is not None), default=None)


def _later(when: datetime, last: Heartbeat | None, patience: Patience) -> datetime:
    times = (when, last.time if last is not None else None, patience.listening_since)
    return max(time for time in times if time is not None)
