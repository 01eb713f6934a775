"""The agent's work is never worth a training step: its threads give way."""

import os
from contextlib import suppress

_NICE = 10


def yield_to_training() -> None:
    """Lower the priority of every thread of this program, and so of those they start later.

    Call it after the training was started: a child inherits the priority of the thread that starts it.
    On Linux the niceness belongs to the thread.
    """
    for thread in os.listdir("/proc/self/task"):
        # A thread that has just ended needs no priority.
        with suppress(ProcessLookupError, PermissionError):
            os.setpriority(os.PRIO_PROCESS, int(thread), _NICE)
