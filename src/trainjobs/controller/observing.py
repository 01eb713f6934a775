"""Kubernetes objects → the facts that decisions are made from."""

from datetime import datetime
from typing import Final, Literal, cast

from pydantic import ValidationError

from trainjobs.api import labels
from trainjobs.core.decide.observed import JobState, PodState, Termination
from trainjobs.core.plan.objects import Object, child, children, text
from trainjobs.core.reports import FinalRecord

RANK_LABEL: Final = "training.kubeflow.org/replica-index"
# What the node controller writes into a pod's Ready condition when its machine does not answer.
_NODE_LOST: Final = ("NodeLost", "NodeNotReady")
_PHASES: Final = ("Pending", "Running", "Succeeded", "Failed", "Unknown")


def job_state(job: Object) -> JobState:
    """A PyTorchJob."""
    meta, spec, status = child(job, "metadata"), child(job, "spec"), child(job, "status")
    conditions = children(status, "conditions")
    failed = _condition(conditions, "Failed")
    return JobState(
        name=text(meta, "name"),
        uid=text(meta, "uid"),
        owner_uid=controller_uid(job),
        attempt=_attempt(meta),
        created=_time(meta, "creationTimestamp"),
        suspended=child(spec, "runPolicy").get("suspend") is True,
        deleted=optional_time(meta, "deletionTimestamp"),
        succeeded=_condition(conditions, "Succeeded") is not None,
        failed=failed is not None,
        message=text(failed or {}, "message"),
    )


def pod_state(pod: Object) -> PodState:
    """A pod of a run, as the API server knows it."""
    meta, spec, status = child(pod, "metadata"), child(pod, "spec"), child(pod, "status")
    conditions = children(status, "conditions")
    container = _container(status)
    state = child(container, "state")
    waiting = child(state, "waiting") or _init_waiting(status)
    scheduled = _find(conditions, "PodScheduled")
    is_scheduled = text(scheduled, "status") == "True"
    phase = text(status, "phase")
    return PodState(
        name=text(meta, "name"),
        uid=text(meta, "uid"),
        attempt=_attempt(meta),
        job_uid=controller_uid(pod),
        node_rank=_number(child(meta, "labels").get(RANK_LABEL)),
        phase=cast(
            Literal["Pending", "Running", "Succeeded", "Failed", "Unknown"],
            phase if phase in _PHASES else "Pending",
        ),
        created=_time(meta, "creationTimestamp"),
        node=text(spec, "nodeName"),
        scheduled=is_scheduled or bool(spec.get("nodeName")),
        scheduling_message="" if is_scheduled else text(scheduled, "message"),
        waiting_reason=text(waiting, "reason"),
        waiting_message=text(waiting, "message"),
        started=_started(state),
        deleted=optional_time(meta, "deletionTimestamp"),
        ready_lost=_ready_lost(conditions, phase),
        disrupted=text(_condition(conditions, "DisruptionTarget") or {}, "reason"),
        termination=_termination(child(state, "terminated")),
    )


def controller_uid(obj: Object) -> str:
    """UID of the object that controls this one; empty for none."""
    return text(_controller(obj), "uid")


def controller_kind(obj: Object) -> str:
    """Kind of the object that controls this one; empty for none."""
    return text(_controller(obj), "kind")


def _controller(obj: Object) -> Object:
    owners = children(child(obj, "metadata"), "ownerReferences")
    return next((owner for owner in owners if owner.get("controller") is True), {})


def _termination(terminated: Object) -> Termination | None:
    if not terminated:
        return None
    finished = optional_time(terminated, "finishedAt")
    code = terminated.get("exitCode")
    return Termination(
        exit_code=code if isinstance(code, int) else 1,
        reason=text(terminated, "reason"),
        finished=finished or _EPOCH,
        record=_record(text(terminated, "message")),
    )


def _record(message: str) -> FinalRecord | None:
    try:
        return FinalRecord.from_json(message)
    except ValidationError:
        # A user's own program, or a container that never ran the agent, may write anything.
        return None


def _container(status: Object) -> Object:
    found = (one for one in children(status, "containerStatuses") if text(one, "name") == labels.CONTAINER)
    return next(found, {})


def _init_waiting(status: Object) -> Object:
    """Why an init container does not run, where one holds the pod up."""
    for one in children(status, "initContainerStatuses"):
        waiting = child(child(one, "state"), "waiting")
        if waiting and text(waiting, "reason") != "PodInitializing":
            return waiting
    return {}


def _started(state: Object) -> datetime | None:
    for name in ("running", "terminated"):
        when = optional_time(child(state, name), "startedAt")
        if when is not None and when > _EPOCH:
            return when
    return None


def _ready_lost(conditions: list[Object], phase: str) -> datetime | None:
    """Since when the node controller holds the pod's machine for lost.

    It sets Ready to False on every pod of such a machine. A kubelet that is there gives a reason with it
    (`ContainersNotReady`, `PodCompleted`), the node controller gives none.
    """
    ready = _find(conditions, "Ready")
    if phase != "Running" or text(ready, "status") != "False":
        return None
    reason = text(ready, "reason")
    if reason and reason not in _NODE_LOST:
        return None
    return optional_time(ready, "lastTransitionTime")


def _find(conditions: list[Object], type_: str) -> Object:
    return next((one for one in conditions if text(one, "type") == type_), {})


def _condition(conditions: list[Object], type_: str) -> Object | None:
    """The condition, if it holds."""
    found = _find(conditions, type_)
    return found if text(found, "status") == "True" else None


def _attempt(meta: Object) -> int:
    return _number(child(meta, "labels").get(labels.ATTEMPT))


def _number(value: object) -> int:
    return int(value) if isinstance(value, str) and value.isdecimal() else 0


_EPOCH: Final = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


def _time(parent: Object, key: str) -> datetime:
    return optional_time(parent, key) or _EPOCH


def optional_time(parent: Object, key: str) -> datetime | None:
    """A time in an object, where there is one."""
    value = text(parent, key)
    return datetime.fromisoformat(value) if value else None
