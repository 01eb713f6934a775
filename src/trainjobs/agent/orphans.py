"""What a training leaves behind: processes whose own parent has ended.

In a pod the agent is process 1, and the kernel gives it every orphan. Elsewhere it asks for them, so that the
same holds on any machine: what has ended is reaped, and nothing of a training outlives its agent's work.
"""

import ctypes
import logging
import os
import time
from contextlib import suppress

import psutil

_log = logging.getLogger(__name__)
_PR_SET_CHILD_SUBREAPER = 36
_END_SECONDS = 5.0
_LOOK_SECONDS = 0.02


def adopt_orphans() -> bool:
    """Ask the kernel for every descendant whose parent ends; return whether it will give them."""
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0:
        return True
    _log.warning("orphans of the training are not ours: %s", os.strerror(ctypes.get_errno()))
    return False


def reap_orphans(child: int) -> None:
    """Let go of those that have ended.

    Args:
        child: the training itself, whose exit code is waited for elsewhere.
    """
    for orphan in _orphans(child):
        with suppress(ChildProcessError):
            os.waitpid(orphan.pid, os.WNOHANG)


def end_orphans(child: int) -> None:
    """Kill and reap all of them, and what they started; arguments as of `reap_orphans`."""
    deadline = time.monotonic() + _END_SECONDS
    while (found := _orphans(child)) and time.monotonic() < deadline:
        for orphan in found:
            with suppress(psutil.Error):
                for process in (*orphan.children(recursive=True), orphan):
                    process.kill()
        reap_orphans(child)
        time.sleep(_LOOK_SECONDS)
    if found:
        _log.warning("cannot be ended: process %s", ", ".join(str(orphan.pid) for orphan in found))


def _orphans(child: int) -> list[psutil.Process]:
    """Our children that we did not start: those are in our session, the training's are in others."""
    own = os.getsid(0)
    found = []
    for process in psutil.Process().children():
        with suppress(ProcessLookupError):
            if process.pid != child and os.getsid(process.pid) != own:
                found.append(process)
    return found
