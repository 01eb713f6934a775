"""Process 1 of a cluster's own namespaces: starts its programs, and takes everything with it when it ends.

The cluster lives in a process, a mount and a network namespace. When process 1 of a process namespace ends,
the kernel kills every other process in it, containers and their shims included; with the last one go its
mounts and its network. So nothing can be left running, however the end comes:

- `stop` is asked for over the control socket;
- the last of those who `hold` the cluster is gone, which the kernel tells by closing its connection, also
  after a SIGKILL of the tests;
- this process or the `unshare` above it is killed: `--kill-child` ties them together.

Only empty control groups and files lie outside the namespaces; `leftovers` takes those away, here at an
orderly end, else at the next start or `make cluster-down`.
"""

import contextlib
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.cluster.harness import leftovers
from tests.cluster.harness.layout import Layout

Request = dict[str, Any]


@dataclass
class Supervisor:
    """Serves requests, one JSON object a line, until told to stop or held by nobody any more."""

    layout: Layout
    programs: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)
    holders: set[socket.socket] = field(default_factory=set)
    received: dict[socket.socket, bytes] = field(default_factory=dict)
    selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)
    stopping: bool = False

    def serve(self) -> None:
        """Answer until the end."""
        listener = socket.socket(socket.AF_UNIX)
        # Under its final name only when it listens.
        unready = self.layout.control.with_suffix(".new")
        listener.bind(str(unready))
        unready.chmod(0o600)
        listener.listen()
        unready.rename(self.layout.control)
        self.selector.register(listener, selectors.EVENT_READ)
        while not self.stopping:
            # Woken at least now and then to reap what orphans have left.
            for key, _ in self.selector.select(timeout=0.5):
                assert isinstance(key.fileobj, socket.socket)
                if key.fileobj is listener:
                    self.selector.register(listener.accept()[0], selectors.EVENT_READ)
                else:
                    self._read(key.fileobj)
            self._reap()

    def _read(self, connection: socket.socket) -> None:
        try:
            data = connection.recv(65536)
        except ConnectionError:
            data = b""
        if not data:
            self._close(connection)
            return
        *lines, rest = (self.received.pop(connection, b"") + data).split(b"\n")
        self.received[connection] = rest
        for line in lines:
            answer = self._answer(connection, json.loads(line))
            with contextlib.suppress(BrokenPipeError):
                connection.sendall(json.dumps(answer).encode() + b"\n")

    def _close(self, connection: socket.socket) -> None:
        self.selector.unregister(connection)
        self.received.pop(connection, None)
        connection.close()
        if connection in self.holders:
            self.holders.remove(connection)
            self.stopping = self.stopping or not self.holders

    def _answer(self, connection: socket.socket, request: Request) -> object:
        match request["do"]:
            case "start":
                return self._start(**request["with"])
            case "signal":
                return self._signal(**request["with"])
            case "status":
                return {name: program.returncode for name, program in self.programs.items()}
            case "hold":
                self.holders.add(connection)
            case "stop":
                self.stopping = True
        return None

    def _start(self, name: str, argv: list[str], environment: dict[str, str]) -> str | None:
        running = self.programs.get(name)
        if running is not None and running.returncode is None:
            return f"{name} is running already"
        try:
            with open(self.layout.logs / f"{name}.log", "ab") as log:
                self.programs[name] = subprocess.Popen(
                    argv,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env=environment,
                    start_new_session=True,
                )
        except OSError as error:
            return f"{name} does not start: {error}"
        return None

    def _signal(self, name: str, number: int) -> str | None:
        program = self.programs.get(name)
        if program is None or program.returncode is not None:
            return f"{name} is not running"
        os.kill(program.pid, number)
        return None

    def _reap(self) -> None:
        by_pid = {program.pid: program for program in self.programs.values()}
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return
                if pid in by_pid:
                    by_pid[pid].returncode = os.waitstatus_to_exitcode(status)


def main() -> None:
    """Be process 1: `python -m tests.cluster.harness.supervisor FOLDER`."""
    if os.getpid() != 1:
        raise SystemExit("the supervisor must be process 1 of a process namespace: see sandbox.py")
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    layout = Layout(Path(sys.argv[1]))
    supervisor = Supervisor(layout)
    try:
        supervisor.serve()
    finally:
        # All but process 1 itself: only what is in this namespace.
        with contextlib.suppress(ProcessLookupError):
            os.kill(-1, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            while True:
                os.wait()
        leftovers.remove(layout)


if __name__ == "__main__":
    main()
