"""Checkpoints on their way to storage, in the background while training goes on."""

import logging
import math
import threading
import time

from trainjobs.agent.company import Company
from trainjobs.agent.destinations import Whole
from trainjobs.agent.status import Status
from trainjobs.agent.stop import StopRequests
from trainjobs.agent.uploads import Uploads
from trainjobs.agent.watch import LocalCheckpoint
from trainjobs.api.checkpoints import Checkpoints
from trainjobs.errors import Fenced, TrainjobsError
from trainjobs.storage.checkpoints import CheckpointStore

_log = logging.getLogger(__name__)
_HURRY_SECONDS = 1.0
# What a node stored right before it went is seen at the next look.
_LAST_LOOKS_SECONDS = 3.0


class CheckpointSync:
    """Uploads what it is given, oldest first, until it is closed; storage may be away meanwhile."""

    def __init__(
        self,
        store: CheckpointStore,
        checkpoints: Checkpoints,
        status: Status,
        destination: Whole,
        *,
        attempt: int,
        tidy: bool,
    ) -> None:
        """Start the thread.

        Args:
            destination: how a checkpoint gets to storage from this node; node 0 keeps order there, too.
            tidy: delete local folders that are in storage and that training needs no more; a user's own
                script keeps its own order, except when the disk runs short.
        """
        self._uploads = Uploads(store, checkpoints, status, destination, attempt=attempt, tidy=tidy)
        self._changed = threading.Condition()
        self._woken = False
        self._draining = False
        self._closing = False
        self._alone_since: float | None = None
        self.company = Company()
        """The other nodes, once they have met."""
        self.fenced: Fenced | None = None
        self._thread = threading.Thread(target=self._run, name="sync", daemon=True)
        self._thread.start()

    @property
    def last_error(self) -> TrainjobsError | None:
        """Why checkpoints do not reach storage."""
        return self._uploads.last_error

    def add(self, checkpoint: LocalCheckpoint) -> None:
        """Upload a checkpoint when its turn comes."""
        self._uploads.add(checkpoint)
        self._wake()

    def drain(self, seconds: float, stop: StopRequests | None = None) -> bool:
        """Wait until everything is in storage, and no other node needs this one; return whether it is.

        Training has ended, and nothing is added any more. Once `stop` is asked other nodes go without, and
        nobody waits for a node that is gone.
        """
        deadline = time.monotonic() + seconds
        self._draining = True
        due = 0.0
        while time.monotonic() < deadline:
            if time.monotonic() >= due:
                due = time.monotonic() + _HURRY_SECONDS
                self._uploads.hurry()
                self._wake()
            with self._changed:
                if self._done(stop) or self._is_alone() or self.fenced or not self._thread.is_alive():
                    break
                self._changed.wait(min(_HURRY_SECONDS, max(0.0, deadline - time.monotonic())))
        return not self._uploads.pending

    def _done(self, stop: StopRequests | None) -> bool:
        nobody_waits = self._uploads.over or (stop is not None and stop.asked)
        return not self._uploads.pending and nobody_waits

    def _is_alone(self) -> bool:
        """Whether a node is gone without which nothing more gets to storage, and left nothing there."""
        if not self.company.gone() & self._uploads.needed():
            self._alone_since = None
            return False
        self._alone_since = self._alone_since or time.monotonic()
        return time.monotonic() - self._alone_since > _LAST_LOOKS_SECONDS

    def close(self) -> None:
        """Start no other upload, and leave the other nodes."""
        self.company.close()
        self._closing = True
        self._wake()

    def _wake(self) -> None:
        with self._changed:
            self._woken = True
            self._changed.notify_all()

    def _run(self) -> None:
        while not self._closing:
            with self._changed:
                self._woken = False
            try:
                pause = self._uploads.look(more=not self._draining)
            except Fenced as error:
                _log.error("checkpoints are refused: %s", error)
                self.fenced = error
                pause = 0.0
                self._closing = True
            with self._changed:
                self._changed.notify_all()
                if pause:
                    timeout = None if math.isinf(pause) else pause
                    self._changed.wait_for(lambda: self._woken or self._closing, timeout)
