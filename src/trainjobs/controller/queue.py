"""The one work queue: every key at most once in it, and at most one worker on a key.

A key that is put while it is worked on is worked on again afterwards: what happened meanwhile may not have
been seen. Work that fails is tried again, later and later. Work may ask to be done again after a while;
whatever happens sooner replaces that.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Hashable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from time import monotonic
from typing import Final, Generic, Protocol, TypeVar

_log = logging.getLogger(__name__)

Key = TypeVar("Key", bound=Hashable)

FIRST_BACKOFF: Final = 0.5
LONGEST_BACKOFF: Final = 120.0
FIRST_YIELD: Final = 0.05
LONGEST_YIELD: Final = 30.0
OFTEN: Final = 6
"""Times in a row that work is overtaken before the log says so."""
WORK_TIMEOUT: Final = 120.0
"""Seconds after which work on one key is given up: a request that hangs must not hold a worker for ever."""


class Observer(Protocol):
    """Is told what the queue does, for metrics."""

    def waited(self, seconds: float) -> None:
        """A key was in the queue this long before a worker took it."""

    def retried(self) -> None:
        """Work failed and will be tried again."""


class Unobserved:
    """Nobody is told."""

    def waited(self, seconds: float) -> None:
        """Take no note."""

    def retried(self) -> None:
        """Take no note."""


@dataclass(slots=True)
class _Entry:
    """One key: in the queue, worked on, or delayed."""

    queued_at: float | None = None
    started_at: float | None = None
    timer: asyncio.TimerHandle | None = None
    failures: int = 0
    overtaken: int = 0
    again: bool = False


class WorkQueue(Generic[Key]):
    """Keys to be worked on, and the workers that do it. Belongs to one event loop."""

    def __init__(
        self,
        work: Callable[[Key], Awaitable[timedelta | None]],
        *,
        workers: int,
        observer: Observer | None = None,
        expected: tuple[type[Exception], ...] = (),
        overtaken: tuple[type[Exception], ...] = (),
        first_backoff: float = FIRST_BACKOFF,
    ) -> None:
        """Make a queue.

        Args:
            work: what to do with a key; returns when to do it again, if nothing happens before.
            workers: how many keys are worked on at a time.
            observer: is told what happens.
            expected: errors that are worth one line in the log, not a traceback.
            overtaken: errors that say that somebody was faster: no failures, worth another try at once, but
                ever later where it goes on.
            first_backoff: seconds from a failure to the next try; doubles with every failure.
        """
        self._work = work
        self._workers = workers
        self._observer: Observer = observer or Unobserved()
        self._expected = expected
        self._overtaken = overtaken
        self._first_backoff = first_backoff
        self._entries: dict[Key, _Entry] = {}
        self._ready: asyncio.Queue[Key | None] = asyncio.Queue()
        self._closed = False

    def put(self, key: Key) -> None:
        """Work on `key` as soon as a worker is free. Never blocks."""
        if self._closed:
            return
        entry = self._entries.setdefault(key, _Entry())
        if entry.started_at is not None:
            entry.again = True
        elif entry.queued_at is None:
            self._enqueue(key, entry)

    def put_after(self, key: Key, seconds: float) -> None:
        """Work on `key` after a while, unless it is worked on before; of two delays the shorter counts."""
        if self._closed:
            return
        entry = self._entries.setdefault(key, _Entry())
        if entry.queued_at is None and entry.started_at is None:
            self._delay(key, entry, seconds)

    @property
    def depth(self) -> int:
        """How many keys wait for a worker."""
        return sum(entry.queued_at is not None for entry in self._entries.values())

    @property
    def known(self) -> set[Key]:
        """Every key that is in the queue, worked on or delayed."""
        return set(self._entries)

    def longest_work(self) -> float:
        """For how many seconds the oldest work under way has been going on; 0 for none."""
        return _oldest(entry.started_at for entry in self._entries.values())

    def longest_wait(self) -> float:
        """For how many seconds the oldest key has been waiting for a worker; 0 for none."""
        return _oldest(entry.queued_at for entry in self._entries.values())

    async def run(self) -> None:
        """Work until `close`; return when the workers have finished what they had begun."""
        async with asyncio.TaskGroup() as group:
            for number in range(self._workers):
                group.create_task(self._worker(), name=f"queue worker {number}")

    def close(self) -> None:
        """Take no more keys, drop those that wait, and let the workers end after what they do now."""
        self._closed = True
        for entry in self._entries.values():
            if entry.timer is not None:
                entry.timer.cancel()
        for _ in range(self._workers):
            self._ready.put_nowait(None)

    def _enqueue(self, key: Key, entry: _Entry) -> None:
        if entry.timer is not None:
            entry.timer.cancel()
            entry.timer = None
        entry.queued_at = monotonic()
        self._ready.put_nowait(key)

    def _delay(self, key: Key, entry: _Entry, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time() + max(seconds, 0.0)
        if entry.timer is not None:
            if entry.timer.when() <= due:
                return
            entry.timer.cancel()
        entry.timer = loop.call_at(due, self.put, key)

    async def _worker(self) -> None:
        while not self._closed:
            key = await self._ready.get()
            if key is None or self._closed:
                return
            entry = self._entries[key]
            started, queued = monotonic(), entry.queued_at
            self._observer.waited(started - queued if queued is not None else 0.0)
            entry.queued_at, entry.started_at, entry.again = None, started, False
            delay = await self._attempt(key, entry)
            entry.started_at = None
            if self._closed:
                return
            if entry.again:
                self._enqueue(key, entry)
            elif delay is not None:
                self._delay(key, entry, delay)
            else:
                del self._entries[key]

    async def _attempt(self, key: Key, entry: _Entry) -> float | None:
        """Work once; seconds until the next time, or None for when something happens."""
        try:
            async with asyncio.timeout(WORK_TIMEOUT):
                after = await self._work(key)
        except self._overtaken as error:
            entry.overtaken += 1
            delay = backoff(entry.overtaken, FIRST_YIELD, LONGEST_YIELD)
            if entry.overtaken >= OFTEN:
                _log.warning(
                    "%s: overtaken %d times in a row, tried again in %.1f s: %s",
                    key, entry.overtaken, delay, error,
                )  # fmt: skip
            entry.again = False
            return delay
        except Exception as error:  # noqa: BLE001  # counted, and the key is tried again
            entry.failures += 1
            self._observer.retried()
            delay = backoff(entry.failures, self._first_backoff) * random.uniform(0.75, 1.0)
            unexpected = not isinstance(error, (*self._expected, TimeoutError))
            _log.warning(
                "%s: tried again in %.1f s: %s",
                key,
                delay,
                str(error) or type(error).__name__,
                exc_info=unexpected,
            )
            entry.again = False
            return delay
        entry.failures = entry.overtaken = 0
        return None if after is None else after.total_seconds()


def backoff(failures: int, first: float, longest: float = LONGEST_BACKOFF) -> float:
    """Seconds to the next try after that many failures in a row, before chance shortens them."""
    return min(first * 2.0 ** min(failures - 1, 30), longest)


def _oldest(times: Iterable[float | None]) -> float:
    known = [time for time in times if time is not None]
    return monotonic() - min(known) if known else 0.0
