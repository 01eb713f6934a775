"""The training of this node as a child: in a session of its own, its output kept, its descendants known."""

import logging
import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import psutil

from trainjobs.agent.launch import Launch
from trainjobs.agent.log_upload import Printed
from trainjobs.agent.orphans import adopt_orphans, end_orphans, reap_orphans
from trainjobs.agent.secrets import Secrets, Veil

_log = logging.getLogger(__name__)
_TAIL_BYTES = 64 * 1024
_CHUNK = 64 * 1024
_END_SECONDS = 10.0
_COMPILERS = frozenset({"ninja", "cc1plus", "nvcc", "cicc", "ptxas"})


class Child:
    """One running command with everything it starts.

    Start it from a thread that outlives it: the kernel ties the child to the thread that starts it.

    Args:
        launch: what to start.
        log_path: where its output is kept.
        printed: takes in its output, too.
        secrets: what of its output is shown to nobody.
        adopts: whether what it leaves behind becomes this program's, is reaped, and ends with it. Only of a
            program that starts nothing else in sessions of their own.
    """

    def __init__(
        self, launch: Launch, log_path: Path, printed: Printed, secrets: Secrets, *, adopts: bool
    ) -> None:
        self._adopts = adopts and adopt_orphans()
        log_path.parent.mkdir(parents=True, exist_ok=True)
        self._process = subprocess.Popen(
            launch.command,
            env=dict(launch.environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._output = _Output(log_path, printed)
        self._veil = Veil(secrets)
        self._pump = threading.Thread(target=self._copy_output, name="output", daemon=True)
        self._pump.start()

    @property
    def pid(self) -> int:
        """The process that was started: torchrun, or the training itself."""
        return self._process.pid

    @property
    def output_bytes(self) -> int:
        """How much it has printed: it lives as long as this grows."""
        return self._output.size

    def poll(self) -> int | None:
        """Return the exit code (negative: the signal that ended it), or None while it runs."""
        return self._process.poll()

    def tail(self) -> str:
        """Return the last 64 KiB it printed; once it has ended, waits shortly for the rest in the pipe."""
        if self.poll() is not None:
            self._pump.join(timeout=2)
        return self._output.tail()

    def workers(self) -> list[psutil.Process]:
        """Return the processes that train: those below torchrun, or the child itself where it is alone."""
        descendants = self._descendants()
        below = [process for process in descendants if process.pid != self.pid]
        with suppress(psutil.Error):
            if "torch.distributed.run" in psutil.Process(self.pid).cmdline():
                return [process for process in below if _parent(process) == self.pid]
        return descendants[:1]

    def compiles(self) -> bool:
        """Whether a compiler runs below it, as DeepSpeed starts one for its operators."""
        for process in self._descendants():
            with suppress(psutil.Error):
                if process.name() in _COMPILERS:
                    return True
        return False

    def signal_workers(self, number: signal.Signals) -> None:
        """Send a signal to every training process, not to what started them."""
        for process in self.workers():
            with suppress(psutil.Error):
                process.send_signal(number)

    def kill(self) -> None:
        """End it and everything it started, at once."""
        for process in reversed(self._descendants()):
            with suppress(psutil.Error):
                process.kill()
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        try:
            self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            # It hangs in the kernel, in a driver or a file system: nothing here ends it, nor may it hold us.
            _log.warning("process %d is killed, and does not end", self.pid)
        if self._adopts:
            end_orphans(self.pid)

    def reap(self) -> None:
        """Let go of what has ended and has no other parent than this program."""
        if self._adopts:
            reap_orphans(self.pid)

    def _descendants(self) -> list[psutil.Process]:
        with suppress(psutil.Error):
            process = psutil.Process(self.pid)
            return [process, *process.children(recursive=True)]
        return []

    def _copy_output(self) -> None:
        assert self._process.stdout is not None
        descriptor = self._process.stdout.fileno()
        while chunk := os.read(descriptor, _CHUNK):
            self._output.write(self._veil.cover(chunk))
        self._output.write(self._veil.rest())


def _parent(process: psutil.Process) -> int:
    with suppress(psutil.Error):
        return process.ppid()
    return 0


class _Output:
    """Keeps what a child prints: in the node's log, on our own output, and the end of it in memory."""

    def __init__(self, path: Path, printed: Printed) -> None:
        self._printed = printed
        self._file = path.open("ab", buffering=0)
        self._broken = False
        self._end = b""
        self._lock = threading.Lock()
        self.size = 0

    def write(self, chunk: bytes) -> None:
        with self._lock:
            self._end = (self._end + chunk)[-_TAIL_BYTES:]
            self.size += len(chunk)
        self._printed.write(chunk)
        try:
            self._file.write(chunk)
        except OSError as error:
            # A full disk must not end the training: what it prints is still on our own output.
            if not self._broken:
                _log.warning("%s: %s; the node's log ends here", self._file.name, error.strerror)
            self._broken = True
        with suppress(OSError, ValueError):
            sys.stdout.buffer.write(chunk)
            sys.stdout.buffer.flush()

    def tail(self) -> str:
        with self._lock:
            return self._end.decode(errors="replace")
