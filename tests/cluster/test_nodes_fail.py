"""Machines fail under a run: it goes on elsewhere, and what comes back late has no say."""

import signal
import time
from collections.abc import Iterator

import pytest

from tests.cluster import release
from tests.cluster.bench import Bench
from tests.cluster.harness.node import Node
from tests.cluster.harness.sandbox import checked, wait_for
from tests.cluster.stored import stored, undisturbed

pytestmark = [pytest.mark.beside, pytest.mark.usefixtures("own_cluster")]

STEPS = 140
SCRIPT = ("--together", "--steps", str(STEPS), "--step-seconds", "0.25", "--save-every", "10")
SPEC = {"topology": {"nodes": 2, "processesPerNode": 1}, "checkpoints": {"keepLatest": 100}}


@pytest.fixture(autouse=True)
def machines_again(bench: Bench) -> Iterator[None]:
    """Leave two machines behind."""
    yield
    for node in bench.own.nodes.values():
        node.recover()
    both_ready(bench)


def both_ready(bench: Bench) -> None:
    wait_for(lambda: len(bench.cluster.ready_nodes()) == 2, "both nodes to be Ready", seconds=60, every=0.5)


def freeze(node: Node, uids: list[str]) -> None:
    """Let a machine fall silent with everything that runs on it still there, as a hypervisor may."""
    node.stop_kubelet()
    for uid in uids:
        assert node.signal_pod(uid, signal.SIGSTOP)


def deafen(node: Node, uids: list[str]) -> None:
    """Keep the operator's answers from pods: they have to find out by themselves that nobody wants them."""
    for uid in uids:
        network = f"--net=/proc/{node.pod_processes(uid)[0]}/ns/net"
        for words in (
            "add table inet tests",
            "add chain inet tests deaf { type filter hook output priority 0; }",
            "add rule inet tests deaf tcp dport 443 drop",
        ):
            checked(["nsenter", network, "nft", words])


def next_attempt(bench: Bench, attempt: int, lost: float) -> None:
    """Wait until an attempt that follows a lost machine makes steps; prints how long that took."""
    known = lambda: bench.status("moved").get("attempt") == attempt  # noqa: E731
    bench.until("moved", known, f"attempt {attempt}", seconds=120)
    print(f"from a machine's loss to attempt {attempt}: {time.monotonic() - lost:.1f} s")
    status = bench.status("moved")
    assert status["failure"]["reason"] == "NodeLost"
    assert status.get("restarts", 0) == 0
    assert status["infrastructureRestarts"] >= 1
    bench.until("moved", lambda: "saved step" in bench.log_or_none("moved", attempt), "a checkpoint of it")
    print(f"from a machine's loss to the next checkpoint: {time.monotonic() - lost:.1f} s")


def test_both_machines_fail_in_turn_and_the_attempt_that_comes_back_late_is_refused(bench: Bench):
    release.impatient(bench)
    manifest = bench.manifest("moved", *SCRIPT, spec=SPEC)
    bench.add_torch(manifest)
    bench.apply_manifest(manifest)
    first = bench.until_training("moved", seconds=150)["spec"]["nodeName"]
    [second] = set(bench.own.nodes) - {first}
    assert {pod["spec"]["nodeName"] for pod in bench.pods("moved")} == {first, second}

    # Node 0's machine dies, and node 1, which trained with it, fails at once: that is not the run's error.
    before = stored(bench, "moved").newest()
    bench.own.nodes[first].lose()
    next_attempt(bench, 2, time.monotonic())
    assert stored(bench, "moved").resumed(2) >= before > 0
    pods = bench.pods("moved", 2)
    assert {pod["spec"]["nodeName"] for pod in pods} == {second}
    bench.own.nodes[first].recover()
    both_ready(bench)

    # The other machine falls silent, with both nodes of the second attempt.
    further = lambda: stored(bench, "moved").newest() > stored(bench, "moved").resumed(2)  # noqa: E731
    bench.until("moved", further, "a checkpoint of the second attempt in storage")
    before = stored(bench, "moved").newest()
    late = [pod["metadata"]["uid"] for pod in pods]
    silent = bench.own.nodes[second]
    freeze(silent, late)
    next_attempt(bench, 3, time.monotonic())
    assert stored(bench, "moved").resumed(3) >= before > stored(bench, "moved").resumed(2)

    # It wakes in the middle of its work, and Kubernetes cannot reach it yet.
    written = stored(bench, "moved").complete(2)
    deafen(silent, late)
    for uid in late:
        silent.signal_pod(uid, signal.SIGCONT)
    # The process that holds a pod's network stays: only a kubelet ends it.
    ended = lambda: all(len(silent.pod_processes(uid)) == 1 for uid in late)  # noqa: E731
    bench.until("moved", ended, "the late attempt to end by itself", seconds=60)
    assert "attempt 3 has taken over; attempt 2 must not write" in silent.pod_log(late[0])
    assert stored(bench, "moved").complete(2) == written
    silent.recover()

    bench.wait("moved", "Succeeded", 120)
    assert bench.status("moved")["attempt"] == 3
    assert stored(bench, "moved").weight() == undisturbed(STEPS)
    assert stored(bench, "moved").store.verify() == ()
