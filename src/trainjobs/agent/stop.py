"""Wishes to stop: signals from outside, directives of the status server."""

import signal
import threading
import time
from types import FrameType


class StopRequests:
    """Counts them: the first asks to save and end, another signal means at once."""

    def __init__(self) -> None:
        self._asked = threading.Event()
        self._signals = 0
        self.asked_at: float | None = None
        """When it was asked first, on the monotonic clock; None while nobody has."""

    @property
    def asked(self) -> bool:
        """Whether training is to save and end."""
        return self._asked.is_set()

    @property
    def at_once(self) -> bool:
        """Whether it is to end without saving."""
        return self._signals > 1

    def ask(self) -> None:
        """Ask to save and end; asking again changes nothing."""
        self.asked_at = self.asked_at or time.monotonic()
        self._asked.set()

    def wait(self, seconds: float) -> None:
        """Sleep, but not through the first wish."""
        if self.asked:
            threading.Event().wait(seconds)
        else:
            self._asked.wait(seconds)

    def listen(self) -> None:
        """Take SIGTERM and SIGINT as such wishes from now on; call it from the main thread."""

        def handle(number: int, frame: FrameType | None) -> None:  # noqa: ARG001  (the interpreter's signature)
            self._signals += 1
            self.ask()

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, handle)
