"""Runs outlive the operator: pods train on without it, and a replica takes up where it was."""

import signal
import time

import pytest

from tests.cluster.harness.sandbox import wait_for
from tests.cluster.operator_fixture import NAMESPACE, RELEASE, Bench

pytestmark = pytest.mark.alone

SCRIPT = ("--steps", "80", "--step-seconds", "0.25", "--save-every", "20")


@pytest.fixture
def whole_again(bench: Bench):
    """Leave two replicas behind, which serve."""
    yield
    scaled(bench, 2)


def scaled(bench: Bench, replicas: int) -> None:
    deployment = f"deployment/{RELEASE}"
    bench.cluster.kubectl("scale", deployment, "-n", NAMESPACE, f"--replicas={replicas}")
    bench.cluster.kubectl("rollout", "status", deployment, "-n", NAMESPACE, "--timeout=90s")
    wait_for(lambda: len(operator_pods(bench)) == replicas, f"{replicas} replicas", seconds=60, every=0.5)


def operator_pods(bench: Bench) -> dict[str, dict]:
    found = bench.cluster.get("pods", "-n", NAMESPACE, "-l", "app.kubernetes.io/name=trainjobs")["items"]
    return {pod["metadata"]["name"]: pod for pod in found}


def leader(bench: Bench) -> str:
    """The pod that leads; it signs with its name and a word for the process."""
    holder = bench.cluster.get("lease", RELEASE, "-n", NAMESPACE)["spec"]["holderIdentity"]
    return str(holder).rpartition("_")[0]


def test_when_the_leader_is_killed_the_other_replica_goes_on_within_20_seconds(bench: Bench, whole_again):
    bench.apply("before", *SCRIPT)
    bench.until_training("before")
    first = leader(bench)
    pod = operator_pods(bench)[first]
    bench.cluster.nodes[pod["spec"]["nodeName"]].signal_pod(pod["metadata"]["uid"], signal.SIGKILL)
    killed = time.monotonic()
    bench.apply("after", *SCRIPT)
    bench.until("after", lambda: bench.status("after").get("job"), "a job by the other replica", seconds=30)
    print(f"from the leader's death to the next run's job: {time.monotonic() - killed:.1f} s")
    assert time.monotonic() - killed < 20
    for name in ("before", "after"):
        bench.wait(name, "Succeeded", 120)
        assert bench.status(name)["attempt"] == 1
    assert len(bench.cluster.get("pytorchjobs", "-n", bench.namespace)["items"]) == 2


def test_a_training_that_ends_while_no_operator_runs_has_succeeded_when_one_comes_back(
    bench: Bench, whole_again
):
    bench.apply("alone", *SCRIPT)
    bench.until_training("alone")
    scaled(bench, 0)
    ended = lambda: {pod["status"]["phase"] for pod in bench.pods("alone")} == {"Succeeded"}  # noqa: E731
    bench.until("alone", ended, "the pod to end by itself")
    assert bench.status("alone")["phase"] == "Running"
    scaled(bench, 2)
    bench.wait("alone", "Succeeded", 60)
    status = bench.status("alone")
    assert (status["attempt"], status["restarts"], status["infrastructureRestarts"]) == (1, 0, 0)
    assert status["progress"]["step"] == 80
