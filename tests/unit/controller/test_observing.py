"""What is read out of pods and jobs, as kubelets, schedulers and controllers write them."""

from datetime import UTC, datetime
from typing import Any

import pytest

from trainjobs.controller.observing import job_state, pod_state
from trainjobs.core.reports import FinalRecord

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
STAMP = "2026-05-01T12:00:00Z"


def pod(status: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    labels = {"trainjobs.dev/attempt": "3", "training.kubeflow.org/replica-index": "1"}
    owner = {"kind": "PyTorchJob", "name": "chat-1a2b3-3", "uid": "job-3", "controller": True}
    meta = {
        "name": "chat-1a2b3-3-worker-1", "uid": "pod-1", "creationTimestamp": STAMP, "labels": labels,
        "ownerReferences": [{"kind": "Other", "uid": "x"}, owner], **metadata,
    }  # fmt: skip
    return {"metadata": meta, "spec": {"nodeName": "machine"}, "status": status}


def container(**state: Any) -> dict[str, Any]:
    others = {"name": "istio-proxy", "state": {"running": {"startedAt": "2026-05-01T11:00:00Z"}}}
    return {"containerStatuses": [others, {"name": "pytorch", "state": state}]}


def ready(status: str, **more: str) -> dict[str, Any]:
    return {"type": "Ready", "status": status, "lastTransitionTime": STAMP, **more}


def test_a_running_pod():
    state = pod_state(pod({"phase": "Running", **container(running={"startedAt": STAMP})}))
    assert (state.name, state.uid, state.job_uid) == ("chat-1a2b3-3-worker-1", "pod-1", "job-3")
    assert (state.attempt, state.node_rank, state.node, state.phase) == (3, 1, "machine", "Running")
    assert (state.started, state.created, state.ended) == (NOON, NOON, False)


def test_the_record_of_the_agent_is_read_from_the_termination_message():
    record = FinalRecord(attempt=3, node_rank=1, exit_code=11, reason="InvalidData", message="line 17")
    ended = {
        "exitCode": 11,
        "reason": "Error",
        "startedAt": STAMP,
        "finishedAt": STAMP,
        "message": record.encode(),
    }
    state = pod_state(pod({"phase": "Running", **container(terminated=ended)}))
    assert state.termination is not None
    assert state.termination.record == record
    assert state.ended
    assert state.started == NOON


@pytest.mark.parametrize("message", ["", "Killed", "{}", '{"attempt": "x"}', "null", "[1]"])
def test_a_message_that_no_agent_wrote_is_no_record(message: str):
    ended = {"exitCode": 137, "reason": "OOMKilled", "finishedAt": STAMP, "message": message}
    termination = pod_state(pod({"phase": "Failed", **container(terminated=ended)})).termination
    assert termination is not None
    assert (termination.exit_code, termination.reason, termination.record) == (137, "OOMKilled", None)


@pytest.mark.parametrize(
    ("phase", "condition", "lost"),
    [
        # The node controller changes the status and nothing else.
        ("Running", ready("False"), NOON),
        ("Running", ready("True"), None),
        # A kubelet that is there says why.
        ("Running", ready("False", reason="ContainersNotReady"), None),
        ("Succeeded", ready("False", reason="PodCompleted"), None),
        ("Succeeded", ready("False"), None),
        ("Pending", ready("False"), None),
        ("Running", {"type": "Other", "status": "False"}, None),
    ],
)
def test_a_machine_that_is_lost_is_told_from_a_container_that_is_not_ready(
    phase: str, condition: dict[str, Any], lost: datetime | None
):
    assert pod_state(pod({"phase": phase, "conditions": [condition]})).ready_lost == lost


@pytest.mark.parametrize("status", ["True", "False"])
def test_a_disruption_counts_where_the_condition_holds(status: str):
    condition = {"type": "DisruptionTarget", "status": status, "reason": "PreemptionByScheduler"}
    state = pod_state(pod({"phase": "Failed", "conditions": [condition]}))
    assert state.disrupted == ("PreemptionByScheduler" if status == "True" else "")


def test_the_schedulers_words_are_kept_until_there_is_a_machine():
    condition = {"type": "PodScheduled", "status": "False", "message": "0/3 nodes are available"}
    waiting = pod({"phase": "Pending", "conditions": [condition]})
    waiting["spec"] = {}
    state = pod_state(waiting)
    assert (state.scheduled, state.scheduling_message) == (False, "0/3 nodes are available")
    placed = pod_state(pod({"phase": "Pending", "conditions": [{**condition, "status": "True"}]}))
    assert (placed.scheduled, placed.scheduling_message) == (True, "")


def test_why_a_container_waits_is_kept_also_of_an_init_container():
    waiting = {"reason": "ImagePullBackOff", "message": "no such image"}
    state = pod_state(pod({"phase": "Pending", **container(waiting=waiting)}))
    assert (state.waiting_reason, state.waiting_message) == ("ImagePullBackOff", "no such image")
    init = {"initContainerStatuses": [{"name": "first", "state": {"waiting": waiting}}]}
    assert pod_state(pod({"phase": "Pending", **init})).waiting_reason == "ImagePullBackOff"


def test_labels_that_somebody_spoilt_are_no_crash():
    state = pod_state(pod({"phase": "Bananas"}, labels={"trainjobs.dev/attempt": "many"}))
    assert (state.attempt, state.node_rank, state.phase) == (0, 0, "Pending")
    assert pod_state({}).uid == ""


def test_a_job_says_how_it_ended_only_by_conditions_that_hold():
    conditions = [
        {"type": "Running", "status": "False"},
        {"type": "Failed", "status": "False", "message": "old"},
        {"type": "Succeeded", "status": "True"},
    ]
    job = {
        "metadata": {
            "name": "j", "uid": "u", "creationTimestamp": STAMP, "labels": {"trainjobs.dev/attempt": "2"},
            "ownerReferences": [{"uid": "run", "controller": True}], "deletionTimestamp": STAMP,
        },
        "spec": {"runPolicy": {"suspend": True}},
        "status": {"conditions": conditions},
    }  # fmt: skip
    state = job_state(job)
    assert (state.name, state.uid, state.owner_uid, state.attempt) == ("j", "u", "run", 2)
    assert (state.succeeded, state.failed, state.suspended, state.deleted) == (True, False, True, NOON)
