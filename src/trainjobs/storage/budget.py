"""One bound on the memory of all transfers together.

The memory of a transfer is its parts in flight. A bound per file would multiply with the number of
files, so every part of every file is paid for from one budget.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class MemoryBudget:
    """Bytes that may be in flight at once; waits for room instead of exceeding it."""

    def __init__(self, total: int) -> None:
        self.total = total
        self._free = total
        self._peak = 0
        self._changed = threading.Condition()

    @property
    def peak(self) -> int:
        """The most bytes that were in flight at once, ever."""
        with self._changed:
            return self._peak

    @property
    def in_use(self) -> int:
        """The bytes in flight now."""
        with self._changed:
            return self.total - self._free

    def acquire(self, size: int) -> int:
        """Wait until `size` bytes are free and take them; return what to release.

        Whoever waits here must hold nothing, or two could wait for each other for ever.
        """
        share = min(size, self.total)
        with self._changed:
            self._changed.wait_for(lambda: self._free >= share)
            self._take(share)
        return share

    def try_acquire(self, size: int) -> int | None:
        """Take `size` bytes if they are free now; return what to release, or None."""
        share = min(size, self.total)
        with self._changed:
            if self._free < share:
                return None
            self._take(share)
        return share

    def release(self, share: int) -> None:
        """Give back what acquire returned."""
        with self._changed:
            self._free += share
            self._changed.notify_all()

    @contextmanager
    def hold(self, size: int) -> Iterator[None]:
        """Hold `size` bytes for the length of a block."""
        share = self.acquire(size)
        try:
            yield
        finally:
            self.release(share)

    def _take(self, share: int) -> None:
        self._free -= share
        self._peak = max(self._peak, self.total - self._free)
