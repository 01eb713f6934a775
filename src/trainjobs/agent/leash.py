"""Starts a command that the kernel kills when whoever started it dies.

    python -I -S leash.py PARENT_PID COMMAND…

Run as a file, isolated: it imports nothing of ours, and starts in a few milliseconds.
A training process must never outlive its agent: it would go on writing beside the next attempt.
PR_SET_PDEATHSIG survives exec, so the command takes this process's place and nothing stays between.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Tie this process to its parent, then become the command."""
    parent, command = int(sys.argv[1]), sys.argv[2:]
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    # The parent may have died before the line above; 0 stands for "whoever it is".
    if parent and os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)
    os.execvp(command[0], command)  # noqa: S606  (no shell is the point)


if __name__ == "__main__":
    main()
