"""A node that failed ends its attempt; of several, the one that explains the others is named."""

from datetime import UTC, datetime
from typing import Final

from trainjobs.api.conditions import Reason
from trainjobs.core.decide.attempt import Attempt, final_record, has_failed
from trainjobs.core.decide.ending import End
from trainjobs.core.decide.observed import PodState, Termination
from trainjobs.core.decide.reached import has_launched
from trainjobs.core.failures import kind_of, kind_of_exit

OOM_KILLED: Final = "OOMKilled"
"""Kubernetes' word for a container that was killed for want of memory."""

# What the API server and the kubelet write into a DisruptionTarget condition.
_DISRUPTIONS: Final = {"PreemptionByScheduler": Reason.PREEMPTED, "DeletionByPodGC": Reason.NODE_LOST}

# When one node goes, its peers fail too: a broken connection, a missed rendezvous, a SIGTERM. What can be
# such an echo explains less than what cannot.
_ECHOES: Final = {
    Reason.TRAINING_ERROR: 2,
    Reason.RENDEZVOUS_FAILED: 3,
    Reason.UNKNOWN: 4,
    Reason.PREEMPTED: 5,
    Reason.POD_LOST: 5,
}

_LAST: Final = datetime.max.replace(tzinfo=UTC)


def failure(attempt: Attempt) -> End | None:
    """Return how the attempt failed, or None while no node has.

    A node fails when its container ended badly, or when it is about to be taken away (its pod has the
    condition DisruptionTarget): the others cannot go on without it.
    """
    causes = [
        (_weight(end, pod), _when(pod), pod.node_rank, end)
        for pod in attempt.pods
        if (end := end_of(pod)) is not None
    ]
    return min(causes, key=lambda cause: cause[:3])[3] if causes else None


def end_of(pod: PodState) -> End | None:
    """Return how one node failed, or None where it has not."""
    if pod.disrupted and not pod.ended:
        return End(_disruption(pod), f"{_where(pod)} is being taken away: {pod.disrupted}", node=pod.name)
    if not has_failed(pod):
        return None
    if pod.termination is None:
        reason = _disruption(pod) if pod.disrupted else Reason.POD_LOST if pod.deleted else Reason.UNKNOWN
        return End(reason, f"{_where(pod)} failed without a word of its container", node=pod.name)
    return _terminated(pod, pod.termination)


def _terminated(pod: PodState, termination: Termination) -> End:
    record = final_record(pod)
    said = kind_of(record.reason).reason if record else Reason.UNKNOWN
    if said is Reason.UNKNOWN:
        # No record, or one of a newer agent, whose word for it is not ours yet: its exit code may be.
        said = kind_of_exit(termination.exit_code).reason
    reason = _reason(pod, termination, said)
    message = f"{_where(pod)} ended with exit code {termination.exit_code}"
    if reason is Reason.HOST_OUT_OF_MEMORY and said is not reason:
        message = f"{_where(pod)} was killed for want of memory"
    elif record and record.message:
        message = f"{_where(pod)}: {record.message}"
    elif pod.disrupted:
        message = f"{_where(pod)} was taken away: {pod.disrupted}"
    return End(
        reason,
        message,
        node=pod.name,
        exit_code=termination.exit_code,
        advice=record.advice if record and said is reason else "",
        last_lines=record.last_lines if record else "",
        launched=record is None or record.stage is None or has_launched(record.stage),
    )


def _reason(pod: PodState, termination: Termination, said: Reason) -> Reason:
    if termination.reason == OOM_KILLED:
        return Reason.HOST_OUT_OF_MEMORY
    if said not in _ECHOES:
        return said
    if pod.disrupted:
        return _disruption(pod)
    if said in (Reason.PREEMPTED, Reason.UNKNOWN) and pod.deleted is not None:
        return Reason.POD_LOST
    return said


def _disruption(pod: PodState) -> Reason:
    return _DISRUPTIONS.get(pod.disrupted, Reason.EVICTED)


def _weight(end: End, pod: PodState) -> int:
    if pod.disrupted:
        return 1
    if kind_of(end.reason).permanent:
        return 0
    return _ECHOES.get(end.reason, 1)


def _when(pod: PodState) -> datetime:
    return pod.termination.finished if pod.termination else _LAST


def _where(pod: PodState) -> str:
    return f"node {pod.node_rank} on {pod.node}" if pod.node else f"node {pod.node_rank}"
