"""What a training is asked to do from outside, agreed on by all its processes at every step."""

import enum
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from trainjobs.core.outputs import REQUEST
from trainjobs.ml.training.processes import Processes

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Wish(enum.IntEnum):
    """What is asked for; the strongest wish of any process counts."""

    NONE = 0
    SAVE = 1
    STOP = 2
    """Save and end: the agent asks for it, or a signal does."""


class StopAsked(Exception):
    """Ends a validation early: training is to stop."""


class Control:
    """Listens to SIGTERM and to the agent's request file, and to the clock for saves by time.

    A signal only sets a flag: what is asked happens between two steps, when the state is whole.
    """

    def __init__(self, output: Path, processes: Processes, save_every_seconds: int | None) -> None:
        self._request = output / REQUEST
        self._processes = processes
        self._every = save_every_seconds
        self._saved_at = time.monotonic()
        self._terminated = threading.Event()

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Take SIGTERM and SIGINT as the wish to stop, for as long as this lasts; in the main thread only."""
        before = {number: signal.signal(number, self._note_signal) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def agree(self) -> Wish:
        """Return what all processes will do after this step. Every process has to call it."""
        return Wish(self._processes.largest(int(self._own_wish())))

    def saved(self) -> None:
        """Note that a checkpoint was just taken: the clock starts anew and a wish to save is granted."""
        self._saved_at = time.monotonic()
        if self._read_request() == "save":
            self._request.unlink(missing_ok=True)

    def _own_wish(self) -> Wish:
        if self._terminated.is_set():
            return Wish.STOP
        request = self._read_request()
        if request == "stop":
            return Wish.STOP
        overdue = self._every is not None and time.monotonic() - self._saved_at >= self._every
        return Wish.SAVE if request == "save" or overdue else Wish.NONE

    def _read_request(self) -> str:
        try:
            return self._request.read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            return ""

    def _note_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._terminated.set()
