"""The namespaces that a cluster lives in, seen from outside: made, joined to the machine, spoken to."""

import contextlib
import json
import os
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.cluster.harness import leftovers
from tests.cluster.harness.layout import PODS, SERVICES, UPLINK, UPLINK_INSIDE, UPLINK_OUTSIDE, Layout

REPOSITORY = Path(__file__).resolve().parents[3]
# Kubelets and containerd use these, whatever their configuration: a cluster has its own in their place.
_HIDDEN = (Path("/run"), Path("/var/log"), Path("/var/lib/kubelet"), Path("/var/lib/cni"))
# A kubelet sets these for the whole machine unless it reads that they are so already.
_KERNEL = {
    "vm/overcommit_memory": 1,
    "vm/panic_on_oom": 0,
    "kernel/panic": 10,
    "kernel/panic_on_oops": 1,
    "kernel/keys/root_maxkeys": 1_000_000,
    "kernel/keys/root_maxbytes": 25_000_000,
}


@dataclass
class Sandbox:
    """Speaks with the supervisor of a running cluster; any number of test processes may."""

    layout: Layout
    _connection: socket.socket | None = None
    _answers: Any = field(default=None, repr=False)

    def running(self) -> bool:
        """Whether a supervisor answers; waits for one that is ending."""
        with contextlib.suppress(OSError):
            self.programs()
            return True
        return False

    def pid(self) -> int:
        """The supervisor's process id, as this process sees it."""
        credentials = self._connect().getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        return int(struct.unpack("3i", credentials)[0])

    def hold(self) -> None:
        """Keep the cluster for as long as this process lives; it ends with the last one that holds it."""
        self._ask("hold")

    def start(
        self, name: str, argv: Sequence[str | Path], environment: Mapping[str, str] | None = None
    ) -> None:
        """Start a program in the cluster's namespaces; its output goes to `logs/NAME.log`."""
        variables = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root"}
        variables |= environment or {}
        error = self._ask("start", name=name, argv=[str(word) for word in argv], environment=variables)
        if error is not None:
            raise RuntimeError(str(error))

    def send(self, name: str, number: signal.Signals) -> None:
        """Send a signal to a program."""
        error = self._ask("signal", name=name, number=int(number))
        if error is not None:
            raise RuntimeError(str(error))

    def kill(self, name: str, *, number: signal.Signals = signal.SIGKILL, seconds: float = 30) -> None:
        """End a program, and wait until it has ended; nothing happens when it has already."""
        if not self.alive(name):
            return
        with contextlib.suppress(RuntimeError):
            self.send(name, number)
        wait_for(lambda: not self.alive(name), f"{name} to end", seconds=seconds)

    def alive(self, name: str) -> bool:
        """Whether a program runs."""
        programs = self.programs()
        return name in programs and programs[name] is None

    def programs(self) -> dict[str, int | None]:
        """Every program that was started: its exit code, negative for a signal; None while it runs."""
        return dict(self._ask("status"))  # type: ignore[call-overload, no-any-return]

    def run(self, *argv: str | Path, entering: Sequence[str] = ("--net", "--mount")) -> str:
        """Run a command in the cluster's namespaces and return what it prints."""
        command = ["nsenter", "--target", str(self.pid()), *entering, "--", *map(str, argv)]
        return checked(command)

    def stop(self) -> None:
        """End the cluster and everything in it; return when it is gone."""
        if self.running():
            ended = os.pidfd_open(self.pid())
            with contextlib.suppress(OSError):
                self._ask("stop")
            self.close()
            _wait_for_end(ended, seconds=60)
        # The kernel takes the network down a moment after the last process in it has ended.
        wait_for(lambda: not Path("/sys/class/net", UPLINK).exists(), f"{UPLINK} to go", seconds=60)
        leftovers.remove(self.layout)

    def close(self) -> None:
        """Let go of the cluster."""
        if self._connection is not None:
            self._answers.close()
            self._connection.close()
            self._connection = None

    def _connect(self) -> socket.socket:
        if self._connection is None:
            connection = socket.socket(socket.AF_UNIX)
            try:
                connection.connect(str(self.layout.control))
            except OSError:
                connection.close()
                raise
            self._connection, self._answers = connection, connection.makefile("rb")
        return self._connection

    def _ask(self, do: str, **arguments: object) -> object:
        self._connect().sendall(json.dumps({"do": do, "with": arguments}).encode() + b"\n")
        line = self._answers.readline()
        if not line:
            self.close()
            raise ConnectionError("the cluster's supervisor has ended")
        return json.loads(line)


def make_sandbox(layout: Layout) -> Sandbox:
    """Make the namespaces with a supervisor in them, and join their network to the machine's."""
    sandbox = Sandbox(layout)
    layout.root.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(layout.logs, ignore_errors=True)
    layout.logs.mkdir()
    command = [
        "unshare", "--mount", "--net", "--ipc", "--pid", "--fork", "--kill-child", "--mount-proc",
        "--propagation", "private",
        "sh", "-ec", _mounts(layout) + 'exec "$@"', "sh",
        sys.executable, "-m", "tests.cluster.harness.supervisor", str(layout.root),
    ]  # fmt: skip
    with open(layout.logs / "supervisor.log", "ab") as log:
        started = subprocess.Popen(
            command, cwd=REPOSITORY, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    wait_for(
        lambda: sandbox.running() or started.poll() is not None,
        "the cluster's supervisor to answer",
        seconds=20,
    )
    if started.poll() is not None:
        raise RuntimeError(
            f"no namespaces for a cluster: {(layout.logs / 'supervisor.log').read_text()[-2000:]}"
        )
    _join_network(sandbox)
    return sandbox


def _mounts(layout: Layout) -> str:
    """The shell commands that hide from the cluster what it would otherwise share with the machine."""
    # Mounts made inside are shared among the cluster's own namespaces only, as kubelets expect.
    lines = ["mount --make-rshared /"]
    for folder in _HIDDEN:
        folder.mkdir(parents=True, exist_ok=True)
        lines.append(f"mount -t tmpfs tmpfs {folder}")
    for name, value in _KERNEL.items():
        if (setting := Path("/proc/sys", name)).exists():
            shown = layout.root / name.replace("/", ".")
            shown.write_text(f"{value}\n")
            lines.append(f"mount --bind {shown} {setting}")
    return "\n".join(lines) + "\n"


def _join_network(sandbox: Sandbox) -> None:
    pid = str(sandbox.pid())
    checked(["ip", "link", "add", UPLINK, "type", "veth", "peer", "name", "uplink", "netns", pid])
    checked(["ip", "address", "add", f"{UPLINK_OUTSIDE}/30", "dev", UPLINK])
    checked(["ip", "link", "set", UPLINK, "up"])
    sandbox.run("ip", "address", "add", f"{UPLINK_INSIDE}/30", "dev", "uplink")
    sandbox.run("ip", "link", "set", "uplink", "up")
    sandbox.run("ip", "link", "set", "lo", "up")
    for network in (PODS, SERVICES):
        checked(["ip", "route", "add", network, "via", UPLINK_INSIDE])


def checked(command: Sequence[str], *, stdin: str | None = None) -> str:
    """Run a command, return what it prints, and raise with its message when it fails."""
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {(done.stderr or done.stdout).strip()[-2000:]}")
    return done.stdout


def wait_for(condition: Callable[[], object], what: str, *, seconds: float, every: float = 0.1) -> None:
    """Wait until a condition holds; raise TimeoutError with `what` when it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds:.0f} s for {what}")
        time.sleep(every)


def _wait_for_end(pidfd: int, *, seconds: float) -> None:
    try:
        if not select.select([pidfd], [], [], seconds)[0]:
            raise TimeoutError(f"the cluster's supervisor has not ended in {seconds:.0f} s")
    finally:
        os.close(pidfd)
