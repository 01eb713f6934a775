"""What else runs in the pods of a run goes on after training, and holds up nothing: no device, no attempt."""

import json
import signal
from datetime import datetime
from typing import Any

from tests.cluster.bench import Bench
from tests.cluster.harness.manifests import pod_spec

KEEPER = "tests.trainjobs.dev/look"
SCRIPT = ("--steps", "60", "--step-seconds", "0.25", "--save-every", "8")
# A shipper of logs, which sends the last of them before it goes.
SHIPS = "trap 'sleep 6; exit 0' TERM; while true; do sleep 1; done"


def with_sidecar(bench: Bench, name: str) -> dict[str, Any]:
    manifest = bench.manifest(name, *SCRIPT)
    [shipper] = pod_spec(["sh", "-c", SHIPS], container="shipper")["containers"]
    manifest["spec"]["podTemplate"]["spec"]["containers"].append(shipper)
    return manifest


def of_container(pod: dict[str, Any], name: str) -> dict[str, Any]:
    """The state of a container of a pod."""
    found = next(one for one in pod["status"]["containerStatuses"] if one["name"] == name)
    return dict(found["state"])


def seconds(time: str) -> float:
    return datetime.fromisoformat(time).timestamp()


def test_no_attempt_starts_beside_a_sidecar_and_none_is_left_after_the_end(bench: Bench):
    bench.apply_manifest(with_sidecar(bench, "shipped"))
    pod = bench.until_training("shipped")
    name = pod["metadata"]["name"]
    # What was its last, for the test to see.
    keeping = json.dumps({"metadata": {"finalizers": [KEEPER]}})
    bench.kubectl("patch", "pod", name, "--type=merge", "-p", keeping)
    assert bench.signal_training(pod, signal.SIGKILL) == 1

    def look() -> dict[str, Any]:
        return bench.cluster.get("pod", name, "-n", bench.namespace)

    bench.until("shipped", lambda: "terminated" in of_container(look(), "pytorch"), "the agent to end")
    # Training is over, the pod is not.
    assert "running" in of_container(look(), "shipper")
    assert bench.pods("shipped", 2) == []
    bench.until("shipped", lambda: bench.pods("shipped", 2), "the next attempt", seconds=120)
    assert bench.status("shipped")["failure"]["reason"] == "TrainingError"
    last = look()
    ends = {one: of_container(last, one)["terminated"]["finishedAt"] for one in ("pytorch", "shipper")}
    [job] = [
        one
        for one in bench.cluster.get("pytorchjobs", "-n", bench.namespace)["items"]
        if one["metadata"]["labels"]["trainjobs.dev/attempt"] == "2"
    ]
    assert (
        seconds(ends["pytorch"]) < seconds(ends["shipper"]) <= seconds(job["metadata"]["creationTimestamp"])
    )
    bench.kubectl("patch", "pod", name, "--type=merge", "-p", '{"metadata":{"finalizers":null}}')

    bench.wait("shipped", "Succeeded", 120)
    status = bench.status("shipped")
    assert (status["attempt"], status["restarts"]) == (2, 1)
    # The run has ended well, its sidecar has not: its pod is taken away, and what that held is free.
    bench.until_gone("pods", seconds=90)
    assert bench.status("shipped")["phase"] == "Succeeded"
