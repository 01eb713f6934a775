"""Nothing is left of a cluster, however it ends: it is tried on one of its own, number 2."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cluster.harness.leftovers import hierarchies
from tests.cluster.harness.sandbox import wait_for

# It counts on the machine's resources, and on the kernel's settings staying as they are.
pytestmark = [pytest.mark.alone, pytest.mark.usefixtures("own_cluster")]

HOLD = """
import time
from tests.cluster.harness import own
from tests.cluster.harness.manifests import pod
cluster = own.obtain()
namespace = cluster.make_namespace("ends")
cluster.apply(pod("sleeper", namespace, ["sleep", "6000"]))
cluster.kubectl("wait", "pod/sleeper", "-n", namespace, "--for=condition=Ready", "--timeout=60s")
print("ready", cluster.sandbox.pid(), flush=True)
time.sleep(6000)
"""
ENVIRONMENT = {**os.environ, "TRAINJOBS_CLUSTER": "2"}
FOLDER = Path("/var/lib/trainjobs/cluster2")


@pytest.fixture
def before():
    return kernel_settings()


@pytest.fixture
def holder(repo, before):
    """A process that holds a cluster on which a pod runs, and the process id of the cluster's supervisor."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD], cwd=repo, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True
    )
    try:
        word, pid = process.stdout.readline().split()
        assert word == "ready"
        yield process, int(pid)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        down(repo)


def down(repo: Path) -> None:
    command = [sys.executable, "-m", "tests.cluster.harness", "down"]
    subprocess.run(command, cwd=repo, env=ENVIRONMENT, check=True)


def namespace_of(pid: int) -> str:
    return os.readlink(f"/proc/{pid}/ns/net")


def processes_in(namespace: str) -> list[int]:
    """Every process on the machine that is in the cluster's network namespace, or whose parents were."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_text(errors="replace")
                if os.readlink(entry / "ns/net") == namespace or str(FOLDER) in words:
                    found.append(int(entry.name))
            except (FileNotFoundError, ProcessLookupError, PermissionError):
                continue
    return found


def left() -> list[str]:
    """What is left of the cluster outside its processes."""
    links = [path.name for path in Path("/sys/class/net").iterdir() if path.name in ("cni0", "trainjobs2")]
    groups = [str(path / "trainjobs2") for path in hierarchies() if (path / "trainjobs2").exists()]
    mounts = [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if str(FOLDER) in line]
    files = [str(path) for path in FOLDER.iterdir() if path.name != "logs"]
    shared = [*Path("/var/lib/kubelet").iterdir(), *Path("/var/lib/cni/results").glob("pods-*")]
    return [*links, *groups, *mounts, *files, *map(str, shared)]


def gone(namespace: str) -> None:
    wait_for(lambda: processes_in(namespace) == [], "the cluster's processes to end", seconds=20)


def kernel_settings() -> list[str]:
    names = ("kernel/panic", "kernel/panic_on_oops", "vm/overcommit_memory", "net/ipv4/ip_forward")
    return [Path("/proc/sys", name).read_text() for name in names]


def test_a_stopped_cluster_leaves_nothing(holder, before, repo):
    _, supervisor = holder
    assert kernel_settings() == before, "a running cluster changes the machine it runs on"
    namespace = namespace_of(supervisor)
    assert len(processes_in(namespace)) > 10
    down(repo)
    gone(namespace)
    assert left() == []


def test_a_cluster_ends_when_the_tests_are_killed(holder):
    process, supervisor = holder
    namespace = namespace_of(supervisor)
    process.send_signal(signal.SIGKILL)
    process.wait()
    gone(namespace)
    wait_for(lambda: left() == [], "the cluster's leftovers to go", seconds=20)


def test_cluster_down_cleans_up_after_a_supervisor_that_was_killed(holder, repo):
    process, supervisor = holder
    namespace = namespace_of(supervisor)
    os.kill(supervisor, signal.SIGKILL)
    process.kill()
    gone(namespace)
    assert left() != [], "a killed supervisor cleans up nothing: this test shows nothing any more"
    down(repo)
    assert left() == []
