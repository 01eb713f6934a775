"""A training that leaves two orphans in sessions of their own: one ends at once, one never does."""

import os
import sys
import time
from pathlib import Path

output = Path(os.environ["TRAINJOBS_OUTPUT_DIR"])


def leave(name: str, seconds: int) -> int:
    """Fork twice, so that the second process has no parent here; return its id."""
    if os.fork() == 0:
        os.setsid()
        orphan = os.fork()
        if orphan == 0:
            time.sleep(seconds)
            os._exit(0)
        (output / name).write_text(str(orphan))
        os._exit(0)
    os.wait()
    return int((output / name).read_text())


leave("stays", 3600)
ends = leave("ends", 0)
deadline = time.monotonic() + 60
while Path(f"/proc/{ends}").exists():
    if time.monotonic() > deadline:
        sys.exit("nobody reaped what had ended")
    time.sleep(0.05)
print("reaped", flush=True)
