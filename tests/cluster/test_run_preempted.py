"""Pods that are taken away save first: not a step is lost, and the run's own restarts are not spent."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.cluster.bench import Bench
from tests.cluster.harness.manifests import pod
from tests.cluster.slots import slots
from tests.cluster.stored import stored, undisturbed

# A checkpoint is due only at the end: what is stored before was saved because somebody asked.
STEPS = 100
SCRIPT = ("--steps", str(STEPS), "--step-seconds", "0.2", "--save-every", str(STEPS))
KEEPER = "tests.trainjobs.dev/look"


def until_stepping(bench: Bench, name: str) -> dict[str, Any]:
    """Wait for steps; the pod, which somebody's finalizer keeps to be looked at when it has ended."""
    bench.until(name, lambda: bench.step(name) > 0, "a step")
    [found] = bench.pods(name)
    keeping = json.dumps({"metadata": {"finalizers": [KEEPER]}})
    bench.kubectl("patch", "pod", found["metadata"]["name"], "--type=merge", "-p", keeping)
    return found


def ended(bench: Bench, name: str, victim: dict[str, Any]) -> dict[str, Any]:
    """How the pod's container ended, once it has; lets the pod go."""

    def terminated() -> dict[str, Any]:
        there = bench.cluster.get("pod", victim["metadata"]["name"], "-n", bench.namespace)
        [container] = there["status"]["containerStatuses"]
        return dict(container["state"].get("terminated") or {})

    found = bench.until(name, terminated, "the pod to end", seconds=45)
    letting_go = '{"metadata":{"finalizers":null}}'
    bench.kubectl("patch", "pod", victim["metadata"]["name"], "--type=merge", "-p", letting_go)
    return found


def saved_within_its_grace(bench: Bench, name: str, end: dict[str, Any]) -> int:
    """The step that the agent says it saved at the end, which storage holds."""
    assert end["exitCode"] == 143
    record = json.loads(end["message"])
    assert record["reason"] == "Preempted"
    step = int(record["message"].partition("saved at step ")[2].split()[0])
    assert 0 < step < STEPS
    assert stored(bench, name).complete(1) == {step}
    return step


def went_on_without_loss(bench: Bench, name: str, reason: str, step: int) -> None:
    bench.until(name, lambda: bench.status(name)["attempt"] == 2, "the next attempt")
    status = bench.status(name)
    assert status["failure"]["reason"] == reason
    assert (status.get("restarts", 0), status["infrastructureRestarts"]) == (0, 1)
    bench.wait(name, "Succeeded", 120)
    assert stored(bench, name).resumed(2) == step
    assert stored(bench, name).weight() == undisturbed(STEPS)
    assert bench.status(name)["attempt"] == 2


def test_an_evicted_pod_stores_a_checkpoint_within_its_grace_and_loses_no_step(bench: Bench):
    bench.apply("evicted", *SCRIPT)
    victim = until_stepping(bench, "evicted")
    # What `kubectl drain` posts for each pod of a machine.
    metadata = {"name": victim["metadata"]["name"], "namespace": bench.namespace}
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": metadata}
    path = f"/api/v1/namespaces/{bench.namespace}/pods/{metadata['name']}/eviction"
    bench.kubectl("create", "--raw", path, "-f", "-", stdin=json.dumps(eviction))
    step = saved_within_its_grace(bench, "evicted", ended(bench, "evicted", victim))
    went_on_without_loss(bench, "evicted", "Evicted", step)


@pytest.fixture
def slot(bench: Bench) -> Iterator[str]:
    """A resource of which the cluster has one; and two classes of priority, named after the namespace."""
    resource = f"tests.trainjobs.dev/{bench.namespace}"
    slots(bench, resource, 1)
    for word, value in (("low", 100), ("high", 1000)):
        kind = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass"}
        bench.cluster.apply({**kind, "metadata": {"name": f"{bench.namespace}-{word}"}, "value": value})
    yield resource
    slots(bench, resource, 0)
    bench.cluster.kubectl("delete", "priorityclass", f"{bench.namespace}-low", f"{bench.namespace}-high")


def urgent_pod(bench: Bench, slot: str) -> dict[str, Any]:
    """A pod that needs the slot, and goes before the run."""
    manifest = pod("urgent", bench.namespace, ["sleep", "600"])
    manifest["spec"]["priorityClassName"] = f"{bench.namespace}-high"
    manifest["spec"]["containers"][0]["resources"] = {"limits": {slot: "1"}}
    return manifest


def test_a_run_that_the_scheduler_preempts_waits_for_room_and_loses_no_step(bench: Bench, slot: str):
    low = {"priorityClassName": f"{bench.namespace}-low"}
    bench.apply("modest", *SCRIPT, spec={"resources": {"requests": {slot: "1"}}, "runPolicy": low})
    victim = until_stepping(bench, "modest")
    bench.cluster.apply(urgent_pod(bench, slot))
    step = saved_within_its_grace(bench, "modest", ended(bench, "modest", victim))

    def waits() -> bool:
        return f"Insufficient {slot}" in bench.condition("modest", "Scheduled").get("message", "")

    bench.until("modest", waits, "the next attempt to wait for room")
    bench.kubectl("delete", "pod", "urgent", "--grace-period=1")
    went_on_without_loss(bench, "modest", "Preempted", step)
