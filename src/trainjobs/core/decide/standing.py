"""How a live attempt stands: scheduled, running, in step with storage, healthy."""

from datetime import datetime, timedelta
from typing import Final

from trainjobs.api.conditions import ConditionType, Reason
from trainjobs.api.status import RunStatus
from trainjobs.core.decide import conditions
from trainjobs.core.decide.attempt import Attempt, has_machine, has_started
from trainjobs.core.decide.observed import PodState
from trainjobs.core.reports import Heartbeat

SILENCE: Final = timedelta(minutes=3)
"""How long an agent may say nothing before the run counts as unhealthy."""

_BEFORE_STORAGE: Final = frozenset({"Starting", "Fetching"})
"""Stages of an agent that has not claimed its attempt: it knows of storage only if it had to wait."""

_UNSYNCED: Final = (Reason.ACCESS_DENIED, Reason.STORAGE_UNUSABLE)
"""What an agent may say of storage besides that it is away."""

_THOUGH: Final = {
    Reason.RETENTION_FAILED: "and old ones are kept",
    Reason.PARTS_MISSING: "but one lacks a part",
}
"""What an agent that reaches storage has to say all the same."""


def standing(status: RunStatus, attempt: Attempt, now: datetime, *, queued: bool, moving: bool) -> RunStatus:
    """`status` with how the attempt stands.

    Args:
        status: as it was.
        attempt: the attempt; with no pods when it is only just decided.
        now: the time.
        queued: whether a queue holds it.
        moving: whether a step of it was ever reported.
    """
    status = _scheduled(status, attempt, now, queued=queued)
    status = _running(status, attempt, now, queued=queued, moving=moving)
    status = _synced(status, attempt, now)
    return _healthy(status, attempt, now)


def _scheduled(status: RunStatus, attempt: Attempt, now: datetime, *, queued: bool) -> RunStatus:
    placed = sum(any(has_machine(pod) for pod in attempt.on(rank)) for rank in range(attempt.nodes))
    if placed == attempt.nodes:
        message = f"{attempt.nodes} of {attempt.nodes} nodes have a machine"
        return conditions.true(status, ConditionType.SCHEDULED, Reason.SCHEDULED, message, now)
    if queued:
        message = "waits for its queue to admit it"
        return conditions.false(status, ConditionType.SCHEDULED, Reason.QUEUED, message, now)
    said = next((pod.scheduling_message for pod in attempt.pods if not has_machine(pod)), "")
    message = f"{placed} of {attempt.nodes} nodes have a machine" + (f": {said}" if said else "")
    return conditions.false(status, ConditionType.SCHEDULED, Reason.PENDING, message, now)


def _running(status: RunStatus, attempt: Attempt, now: datetime, *, queued: bool, moving: bool) -> RunStatus:
    running = sum(any(has_started(pod) for pod in attempt.on(rank)) for rank in range(attempt.nodes))
    message = f"{running} of {attempt.nodes} nodes run"
    leader = attempt.heartbeat(0)
    if running < attempt.nodes:
        reason = Reason.STARTING if running else Reason.QUEUED if queued else Reason.PENDING
        waiting = next((pod for pod in attempt.pods if pod.waiting_reason), None)
        if waiting is not None:
            message += f"; {_held_up(waiting)}"
        if leader is not None and leader.wait is not None:
            message += f"; node 0 {leader.wait}"
        return conditions.false(status, ConditionType.RUNNING, reason, message, now)
    if moving:
        return conditions.true(status, ConditionType.RUNNING, Reason.TRAINING, message, now)
    message += f"; node 0 is at: {leader.stage}" if leader else "; no step yet"
    if leader is not None and leader.wait is not None:
        message += f"; it {leader.wait}"
    return conditions.true(status, ConditionType.RUNNING, Reason.STARTING, message, now)


def _held_up(pod: PodState) -> str:
    """What a pod waits for, in the kubelet's words; it has none for the usual: an image that is pulled."""
    said = pod.waiting_message
    if pod.waiting_reason in ("ContainerCreating", "PodInitializing") and not said:
        said = "waits for its image and its volumes"
    return f"node {pod.node_rank}: {pod.waiting_reason} {said}, since {pod.created:%H:%M:%S %Z}"


def _synced(status: RunStatus, attempt: Attempt, now: datetime) -> RunStatus:
    latest = _latest(attempt)
    failing = next((beat for beat in latest if not beat.sync.healthy), None)
    if failing is None:
        if not any(map(_knows_storage, latest)):
            return status
        for reason, what in _THOUGH.items():
            said = next((beat.sync.message for beat in latest if beat.sync.reason == reason), None)
            if said is not None:
                message = f"checkpoints reach storage, {what}: {said}"
                return conditions.true(status, ConditionType.SYNCED, reason, message, now)
        message = "checkpoints reach storage"
        return conditions.true(status, ConditionType.SYNCED, Reason.SYNCED, message, now)
    why = failing.sync.message or failing.sync.reason or "storage cannot be reached"
    message = f"node {failing.node_rank}: {why}"
    reason = next((one for one in _UNSYNCED if one == failing.sync.reason), Reason.STORAGE_UNAVAILABLE)
    return conditions.false(status, ConditionType.SYNCED, reason, message, now)


def _knows_storage(beat: Heartbeat) -> bool:
    return beat.stage not in _BEFORE_STORAGE or beat.sync.reason == Reason.SYNCED


def _healthy(status: RunStatus, attempt: Attempt, now: datetime) -> RunStatus:
    for pod in attempt.pods:
        if pod.ready_lost is not None and not pod.ended:
            message = f"machine {pod.node} of node {pod.node_rank} does not answer"
            return conditions.false(status, ConditionType.HEALTHY, Reason.NODE_LOST, message, now)
    running = {pod.node_rank for pod in attempt.pods if has_started(pod) and not pod.ended}
    for beat in _latest(attempt):
        if beat.node_rank in running and now - beat.time > SILENCE:
            message = f"the agent of node {beat.node_rank} has said nothing since {beat.time:%H:%M:%S %Z}"
            return conditions.false(status, ConditionType.HEALTHY, Reason.AGENT_SILENT, message, now)
    return conditions.true(status, ConditionType.HEALTHY, Reason.HEALTHY, "nothing is wrong", now)


def _latest(attempt: Attempt) -> list[Heartbeat]:
    ranks = sorted({beat.node_rank for beat in attempt.heartbeats})
    return [beat for rank in ranks if (beat := attempt.heartbeat(rank)) is not None]
