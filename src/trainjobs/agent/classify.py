"""Why a training ended: its own word first, then the kernel's, then what it printed last."""

import re
import signal
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from trainjobs.core.outputs import FAILURE, Failure
from trainjobs.errors import (
    AcceleratorOutOfMemory,
    DiskFull,
    HostOutOfMemory,
    RendezvousFailed,
    TrainingError,
    TrainjobsError,
)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of an end that was not asked for."""

    returncode: int
    """Exit code; negative: the signal that ended it."""
    tail: str
    """The end of what it printed."""
    failure: Failure | None
    """What training itself left."""
    oom_kills: int
    """Processes of our cgroup that the kernel killed for lack of memory while it ran."""
    nodes: int
    output: Path

    @property
    def told(self) -> TrainjobsError | None:
        """What our own training says where it cannot leave a record: a line `error: …` and its exit code."""
        kinds = [kind for kind in _kinds(TrainjobsError) if kind.exit_code == self.returncode]
        lines = [line for line in self.tail.splitlines() if line.startswith(_ERROR)]
        return kinds[0](lines[-1].removeprefix(_ERROR)) if kinds and lines else None


_ERROR = "error: "
_ACCELERATOR_MEMORY = re.compile(
    r"OutOfMemoryError|(CUDA|HIP|XPU|NPU|MPS backend)( error:)? out of memory|CUBLAS_STATUS_ALLOC_FAILED",
    re.I,
)
_HOST_MEMORY = re.compile(r"^MemoryError\b|can't allocate memory|Cannot allocate memory|std::bad_alloc", re.M)
_FULL_DISK = re.compile(r"No space left on device|Disk quota exceeded|os error 28\b|Errno 28\b")
_RENDEZVOUS = re.compile(
    r"Rendezvous\w*Error|DistNetworkError|DistStoreError|client socket has (timed out|failed to connect)"
    r"|server socket has failed to listen|EADDRINUSE|Timed out after .{0,40} waiting for clients"
)
_LOST_PEER = re.compile(
    r"Connection closed by peer|Connection reset by peer|remote process exited|Broken pipe.*TCPStore"
    r"|DistBackendError|ncclRemoteError|ncclSystemError|Socket Timeout"
)
_KILLED = re.compile(r"Signal (\d+) \(SIG\w+\) received by PID|exitcode\s*:\s*-(\d+) \(pid")
_RANK = re.compile(r"^\[rank\d+\]:\s?")
_EXCEPTION = re.compile(
    r"^(?:[A-Za-z_]\w*\.)*[A-Z]\w*(?:Error|Exception|Interrupt|Exit|Warning|Iteration)\b(?::.*)?$"
)


def read_failure(output: Path) -> Failure | None:
    """Return what training said of its own failure, or None when it said nothing that can be read."""
    try:
        return Failure.from_json((output / FAILURE).read_bytes())
    except (OSError, ValidationError):
        return None


def classify(evidence: Evidence) -> TrainjobsError:
    """Return the error that a training ended with."""
    if evidence.failure is not None:
        return error_class(evidence.failure.reason)(evidence.failure.message)
    if evidence.told is not None:
        return evidence.told
    killed = killed_by(evidence.returncode, evidence.tail)
    if killed == signal.SIGKILL and evidence.oom_kills > 0:
        return HostOutOfMemory(
            f"the kernel ended {evidence.oom_kills} process(es) of this node for lack of memory"
        )
    said = last_exception(evidence.tail)
    by_words = _from_words(evidence, said)
    if by_words is not None:
        return by_words
    if killed is not None:
        return TrainingError(f"a training process was ended by {signal.Signals(killed).name}")
    return TrainingError(said or f"training ended with exit code {evidence.returncode} and no message")


def _from_words(evidence: Evidence, said: str) -> TrainjobsError | None:
    tail = evidence.tail
    if _ACCELERATOR_MEMORY.search(tail):
        return AcceleratorOutOfMemory(said or "the accelerator's memory did not suffice")
    if _FULL_DISK.search(tail):
        return DiskFull(
            f"{evidence.output}: no space left on the disk ({said}); give spec.workspace.size "
            "more, or keep fewer checkpoints"
        )
    if _HOST_MEMORY.search(tail):
        return HostOutOfMemory(said or "the memory of this node did not suffice")
    if _RENDEZVOUS.search(tail):
        return RendezvousFailed(f"the processes did not find each other: {said}")
    if evidence.nodes > 1 and _LOST_PEER.search(tail):
        return RendezvousFailed(f"another node of the attempt is gone: {said}")
    return None


def error_class(reason: str) -> type[TrainjobsError]:
    """Return the error of a reason; one that nobody knows is a TrainingError."""
    return {kind.reason: kind for kind in reversed(_kinds(TrainjobsError))}.get(reason, TrainingError)


def _kinds(kind: type[TrainjobsError]) -> list[type[TrainjobsError]]:
    return [kind, *(below for child in kind.__subclasses__() for below in _kinds(child))]


def killed_by(returncode: int, tail: str) -> int | None:
    """Return the signal that ended a training process, or None; torchrun tells it in words only."""
    if returncode < 0:
        return -returncode
    # torchrun ends the other workers by SIGTERM, lists them too, and then says who was first.
    found = _KILLED.search(tail, max(0, tail.rfind("Root Cause")))
    return int(found[1] or found[2]) if found else None


def last_exception(tail: str) -> str:
    """Return the last line that names an exception, without torchrun's own; "" when there is none."""
    for line in reversed(tail.splitlines()):
        line = _RANK.sub("", line.strip())
        if _EXCEPTION.match(line) and "ChildFailedError" not in line:
            return line[:1000]
    return ""


def last_lines(tail: str, *, count: int = 20) -> str:
    """Return the last lines; of a progress bar only its last state, as a terminal shows it."""
    lines = [line.rsplit("\r", 1)[-1] for line in tail.replace("\r\n", "\n").split("\n")]
    return "\n".join([line for line in lines if line.strip()][-count:])
