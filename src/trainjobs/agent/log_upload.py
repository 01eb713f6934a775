"""Brings the last part of what a node prints to storage, where it outlives the pod."""

import gzip
import logging
import threading
from collections import deque
from collections.abc import Callable

from trainjobs.agent.secrets import Secrets
from trainjobs.core.checkpoints.layout import log_key
from trainjobs.errors import TrainjobsError
from trainjobs.storage.store import Store

_log = logging.getLogger(__name__)
MOST_BYTES = 4 * 1024 * 1024
"""Kept of a log, before it is compressed: its end says how the attempt ended."""
EVERY_SECONDS = 120.0
"""How much of a log a lost machine takes with it."""
_LOOK_SECONDS = 0.1


class Printed:
    """The end of what an agent and its training print, in the order in which they do."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most = most_bytes
        self._chunks: deque[bytes] = deque()
        self._kept = 0
        self._lock = threading.Lock()
        self.size = 0
        """Bytes in all."""

    def write(self, chunk: bytes) -> None:
        """Take in what was printed."""
        with self._lock:
            self._chunks.append(chunk)
            self._kept += len(chunk)
            self.size += len(chunk)
            while self._kept - len(self._chunks[0]) >= self._most:
                self._kept -= len(self._chunks.popleft())

    def end(self) -> bytes:
        """What is kept: whole lines, but for a last one that is being written."""
        with self._lock:
            kept, is_whole = b"".join(self._chunks), self._kept == self.size
        if is_whole and len(kept) <= self._most:
            return kept
        return kept[-self._most :].partition(b"\n")[2]


class LogUpload:
    """Uploads the log of one node of an attempt now and then, and once more when it ends.

    It never waits for storage longer than a few seconds and never fails an attempt: a log is worth less than
    what it tells of.
    """

    def __init__(
        self,
        printed: Printed,
        secrets: Secrets,
        *,
        attempt: int,
        node_rank: int,
        every_seconds: float = EVERY_SECONDS,
    ) -> None:
        self.printed = printed
        self._key = log_key(attempt, node_rank)
        self._secrets = secrets
        self._every = every_seconds
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None
        self._said = False

    def begin(self, store: Store) -> None:
        """Upload to a run's folder from now on."""
        self._thread = threading.Thread(target=self._run, args=(store,), name="log", daemon=True)
        self._thread.start()

    def close(self, seconds_left: Callable[[], float]) -> None:
        """Upload what is new, and stop; wait for it while there is time, of which there may soon be less."""
        self._closed.set()
        while self._thread is not None and self._thread.is_alive() and (left := seconds_left()) > 0:
            self._thread.join(timeout=min(left, _LOOK_SECONDS))

    def _run(self, store: Store) -> None:
        uploaded = 0
        while True:
            is_last = self._closed.wait(self._every)
            size = self.printed.size
            if size != uploaded and self._upload(store):
                uploaded = size
            if is_last:
                return

    def _upload(self, store: Store) -> bool:
        # Once more: what is known to be secret by now may not have been when it was printed.
        text = self._secrets.hide(self.printed.end().decode(errors="replace"))
        try:
            store.put(self._key, gzip.compress(text.encode(errors="replace"), mtime=0))
        except (TrainjobsError, OSError) as error:
            if not self._said:
                _log.warning("the log does not reach storage: %s", error)
            self._said = True
            return False
        return True
