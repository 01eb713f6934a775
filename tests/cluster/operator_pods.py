"""The operator's own pods, for tests that take them away."""

import json
import signal
from typing import Any

from tests.cluster.bench import NAMESPACE, RELEASE, Bench
from tests.cluster.harness.sandbox import wait_for

_DEPLOYMENT = f"deployment/{RELEASE}"


def scaled(bench: Bench, replicas: int) -> None:
    """Run so many replicas, and wait until they serve."""
    bench.cluster.kubectl("scale", _DEPLOYMENT, "-n", NAMESPACE, f"--replicas={replicas}")
    bench.cluster.kubectl("rollout", "status", _DEPLOYMENT, "-n", NAMESPACE, "--timeout=90s")
    until_replicas(bench, replicas)


def until_replicas(bench: Bench, count: int) -> None:
    """Wait until there are so many replicas: those that leave have gone."""
    wait_for(lambda: len(operator_pods(bench)) == count, f"{count} replicas", seconds=60, every=0.5)


def operator_pods(bench: Bench) -> dict[str, dict[str, Any]]:
    """Its pods by name."""
    # Not that of `helm test`, which stays.
    selector = f"app.kubernetes.io/instance={RELEASE},app.kubernetes.io/component=operator"
    found = bench.cluster.get("pods", "-n", NAMESPACE, "-l", selector)["items"]
    return {pod["metadata"]["name"]: pod for pod in found}


def leader(bench: Bench) -> str:
    """The pod that leads; it signs with its name and a word for the process. Empty where nobody does."""
    holder = bench.cluster.get("lease", RELEASE, "-n", NAMESPACE)["spec"].get("holderIdentity", "")
    return str(holder).rpartition("_")[0]


def kill(bench: Bench, pod: dict[str, Any]) -> None:
    """Send SIGKILL to every process of a pod."""
    bench.own.nodes[pod["spec"]["nodeName"]].signal_pod(pod["metadata"]["uid"], signal.SIGKILL)


def free_lease(bench: Bench) -> None:
    """Let another replica lead at once, as a leader that ends in order does."""
    patch = json.dumps({"spec": {"holderIdentity": "", "leaseDurationSeconds": 1}})
    bench.cluster.kubectl("patch", "lease", RELEASE, "-n", NAMESPACE, "--type=merge", "-p", patch)
