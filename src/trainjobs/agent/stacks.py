"""Where every thread of a hung training stands, printed before it is killed."""

import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from trainjobs.agent.child import Child

_log = logging.getLogger(__name__)
_SECONDS = 15.0
_MOST_WORKERS = 4


def dump_stacks(child: Child) -> None:
    """Write the stacks of the training processes into the log.

    py-spy reads them from outside, which works even where the interpreter is stuck in C. Where it may
    not (no ptrace in a restricted pod), SIGABRT makes Python's faulthandler print them: the process is
    about to be killed anyway.
    """
    asked = False
    for worker in child.workers()[:_MOST_WORKERS]:
        stacks = _py_spy(worker.pid)
        if stacks is None:
            asked = True
            continue
        _log.error("stacks of process %d:\n%s", worker.pid, stacks)
    if asked:
        child.signal_workers(signal.SIGABRT)
        # A process that somebody stopped takes the signal only when it goes on.
        child.signal_workers(signal.SIGCONT)
        time.sleep(1)


def _py_spy(pid: int) -> str | None:
    program = _program()
    if program is None:
        return None
    try:
        done = subprocess.run(
            [program, "dump", "--pid", str(pid)],
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        _log.warning("py-spy could not read process %d (%s)", pid, error)
        return None
    if done.returncode != 0:
        _log.warning("py-spy could not read process %d (%s)", pid, done.stderr.strip()[-200:])
        return None
    return done.stdout.strip()


def _program() -> str | None:
    # Beside the interpreter first: a virtual environment need not be on the PATH.
    beside = Path(sys.executable).with_name("py-spy")
    return os.environ.get("TRAINJOBS_PY_SPY") or (str(beside) if beside.is_file() else shutil.which("py-spy"))
