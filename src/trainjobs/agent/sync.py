"""Checkpoints on their way to storage, in the background while training goes on."""

import logging
import random
import shutil
import threading
import time
from dataclasses import replace
from pathlib import Path

from trainjobs.agent.destinations import Destination
from trainjobs.agent.status import Status
from trainjobs.agent.stored import retention_of, stored
from trainjobs.agent.watch import LocalCheckpoint
from trainjobs.api.checkpoints import Checkpoints
from trainjobs.api.conditions import Reason
from trainjobs.core.checkpoints.layout import CheckpointRef
from trainjobs.core.checkpoints.retention import ranked, to_delete
from trainjobs.core.reports import SyncState
from trainjobs.errors import (
    AccessDenied,
    Fenced,
    InvalidData,
    InvalidRecipe,
    StorageUnavailable,
    TrainjobsError,
)
from trainjobs.storage.checkpoints import CheckpointStore

_log = logging.getLogger(__name__)
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 30.0
_TRIES_OF_A_CHANGING_FOLDER = 5
_SHORT_OF_DISK_BYTES = 1 << 30
_LOOK_FOR_PARTS_SECONDS = 1.0
# A node that is lost ends the attempt: this is for one that lives and cannot upload.
_LONGEST_WAIT_FOR_PARTS_SECONDS = 3600.0


class CheckpointSync:
    """Uploads what it is given, oldest first, until it is closed; storage may be away meanwhile."""

    def __init__(
        self,
        store: CheckpointStore,
        checkpoints: Checkpoints,
        status: Status,
        destination: Destination,
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
        self._store = store
        self._destination = destination
        self._retention = retention_of(checkpoints)
        self._status = status
        self._attempt = attempt
        self._tidy = tidy
        self._pending: list[LocalCheckpoint] = []
        self._local: list[LocalCheckpoint] = []
        self._awaited: dict[Path, float] = {}
        """Whose own files are in storage, and since when other nodes' are waited for."""
        self._looked: dict[Path, float] = {}
        """When it was last looked for those."""
        self._changed = threading.Condition()
        self._closing = False
        self._pause = _FIRST_PAUSE
        self._tries = 0
        self.fenced: Fenced | None = None
        self.last_error: TrainjobsError | None = None
        self.not_deleted: TrainjobsError | None = None
        """Why checkpoints that are kept no longer are still there."""
        self._thread = threading.Thread(target=self._run, name="sync", daemon=True)
        self._thread.start()

    def add(self, checkpoint: LocalCheckpoint) -> None:
        """Upload a checkpoint when its turn comes."""
        with self._changed:
            self._pending.append(checkpoint)
            self._drop_superseded()
            self._changed.notify_all()
        self._tell()

    def drain(self, seconds: float) -> bool:
        """Wait until everything is in storage; return whether it is."""
        deadline = time.monotonic() + seconds
        with self._changed:
            while self._pending and self.fenced is None and self._thread.is_alive():
                # What failed a while ago is tried at once: now somebody waits for it.
                self._pause = min(self._pause, _FIRST_PAUSE)
                self._changed.notify_all()
                if (
                    not self._changed.wait(min(1.0, deadline - time.monotonic()))
                    and time.monotonic() >= deadline
                ):
                    break
            return not self._pending

    def close(self) -> None:
        """Start no other upload."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()

    def _run(self) -> None:
        while (checkpoint := self._next()) is not None:
            try:
                whole = self._upload(checkpoint)
                if not whole:
                    self._awaits_parts(checkpoint)
            except Fenced as error:
                _log.error("checkpoint of step %d is refused: %s", checkpoint.step, error)
                self.fenced = error
                with self._changed:
                    self._changed.notify_all()
                return
            except (InvalidData, InvalidRecipe) as error:
                self._unusable(checkpoint, error)
            except (StorageUnavailable, AccessDenied) as error:
                self._failed(error)
            except OSError as error:
                where = error.filename or checkpoint.path
                self._failed(StorageUnavailable(f"{where}: {error.strerror or error}"))
            else:
                if whole:
                    self._arrived(checkpoint)

    def _next(self) -> LocalCheckpoint | None:
        """Return the oldest that is not begun; where all wait for other nodes, in a moment one of those."""
        with self._changed:
            self._changed.wait_for(lambda: self._pending or self._closing)
            if not self._not_begun():
                self._changed.wait_for(lambda: self._not_begun() or self._closing, _LOOK_FOR_PARTS_SECONDS)
            if self._closing or not self._pending:
                return None
            # What waits for other nodes is looked at on every turn: uploads may always be behind.
            due = time.monotonic() - _LOOK_FOR_PARTS_SECONDS
            longest_ago = sorted(
                (one for one in self._pending if one.path in self._awaited),
                key=lambda one: self._looked[one.path],
            )
            awaited = [one for one in longest_ago if self._looked[one.path] <= due]
            return (awaited or self._not_begun() or longest_ago)[0]

    def _not_begun(self) -> list[LocalCheckpoint]:
        return [checkpoint for checkpoint in self._pending if checkpoint.path not in self._awaited]

    def _awaits_parts(self, checkpoint: LocalCheckpoint) -> None:
        """Go on with others and come back to it: not for ever, and not once a newer one is whole.

        Nodes upload in one order: a part that is not there when a newer one is was given up.

        Raises:
            Fenced, StorageUnavailable, AccessDenied: what is given up cannot be taken away.
        """
        now = time.monotonic()
        with self._changed:
            since = self._awaited.setdefault(checkpoint.path, now)
            self._looked[checkpoint.path] = now
            superseded = any(other.step > checkpoint.step for other in self._local)
        if not superseded and now - since < _LONGEST_WAIT_FOR_PARTS_SECONDS:
            return
        nodes = ", ".join(map(str, self._destination.missing(checkpoint)))
        _log.warning("checkpoint of step %d is given up: no part of node %s", checkpoint.step, nodes)
        self._store.discard(self._ref(checkpoint))
        self._status.upload_failures += 1
        with self._changed:
            self._drop(checkpoint)
        self._tell()

    def _drop(self, checkpoint: LocalCheckpoint) -> None:
        """Have nothing more to do with it."""
        self._pending = [other for other in self._pending if other.path != checkpoint.path]
        self._awaited.pop(checkpoint.path, None)
        self._looked.pop(checkpoint.path, None)
        self._destination.forget(checkpoint)
        self._changed.notify_all()

    def _upload(self, checkpoint: LocalCheckpoint) -> bool:
        """Bring it to storage; False while other nodes' parts are missing there."""
        started = time.monotonic()
        manifest = self._destination.bring(checkpoint)
        if manifest is None:
            return False
        self._status.upload_bytes += manifest.size
        self._status.upload_seconds += time.monotonic() - started
        self._status.checkpoint_bytes = manifest.size
        part = f"part {self._destination.node_rank} of the " if self._destination.node_rank else ""
        _log.info("%scheckpoint of step %d is in storage (%d bytes)", part, checkpoint.step, manifest.size)
        if self._destination.node_rank == 0:
            self._prune()
            self.refresh()
        return True

    def _prune(self) -> None:
        """Delete what is kept no longer; where that cannot be, storage fills up, and nothing is lost."""
        try:
            self._store.prune(self._retention, attempt=self._attempt)
        except Fenced:
            raise
        except (StorageUnavailable, AccessDenied, InvalidRecipe) as error:
            if self.not_deleted is None:
                _log.warning("old checkpoints are not deleted: %s; training goes on, and all are kept", error)
            self.not_deleted = error
        else:
            self.not_deleted = None

    def refresh(self) -> None:
        """Read again which checkpoints storage holds."""
        self._status.set_checkpoints(stored(self._store, self._retention, uri=self._status.recipe.store))

    def _arrived(self, checkpoint: LocalCheckpoint) -> None:
        with self._changed:
            self._drop(checkpoint)
            self._local.append(checkpoint)
            self._pause, self._tries, self.last_error = _FIRST_PAUSE, 0, None
            if self._tidy or self._short_of_disk(checkpoint):
                self._remove_local()
            self._changed.notify_all()
        self._tell()

    def _unusable(self, checkpoint: LocalCheckpoint, error: TrainjobsError) -> None:
        """A folder that changes may be whole soon; one that goes on changing, or is gone, is given up.

        So is, at once, what storage refuses for good.
        """
        self._tries += 1
        refused = isinstance(error, InvalidRecipe)
        if not refused and checkpoint.path.is_dir() and self._tries < _TRIES_OF_A_CHANGING_FOLDER:
            self._wait(_FIRST_PAUSE)
            return
        _log.warning("checkpoint of step %d cannot be stored: %s", checkpoint.step, error)
        self._status.upload_failures += 1
        with self._changed:
            self._tries = 0
            self.last_error = error if refused else self.last_error
            self._drop(checkpoint)
        self._tell()

    def _failed(self, error: TrainjobsError) -> None:
        self._status.upload_failures += 1
        if self.last_error is None:
            _log.warning("checkpoints do not reach storage: %s; training goes on", error)
        self.last_error = error
        with self._changed:
            self._drop_superseded()
        self._tell()
        # Jitter: the nodes of many runs would come back all at once after an outage.
        self._wait(self._pause * random.uniform(0.5, 1.5))
        self._pause = min(_LONGEST_PAUSE, 2 * self._pause)

    def _wait(self, seconds: float) -> None:
        with self._changed:
            self._changed.wait(seconds)

    def _drop_superseded(self) -> None:
        """Give up what retention would delete at once, when uploads fall behind or the disk runs short."""
        short = bool(self._pending) and self._short_of_disk(self._pending[-1])
        keep = (
            replace(self._retention, keep_latest=2)
            if short and self._retention.keep_latest > 2
            else self._retention
        )
        # Not those whose files are in storage already: other nodes store their parts of the same ones.
        waiting = [one for one in self._pending[1:] if one.path not in self._awaited]
        by_ref = {self._ref(checkpoint): checkpoint for checkpoint in waiting}
        gone = to_delete({ref: checkpoint.metrics for ref, checkpoint in by_ref.items()}, keep, ())
        for ref in gone:
            checkpoint = by_ref[ref]
            _log.info("checkpoint of step %d is superseded before it was stored", checkpoint.step)
            self._drop(checkpoint)
            if self._tidy or short:
                shutil.rmtree(checkpoint.path, ignore_errors=True)

    def _short_of_disk(self, checkpoint: LocalCheckpoint) -> bool:
        try:
            free = shutil.disk_usage(checkpoint.path).free
        except OSError:
            return False
        return free < max(_SHORT_OF_DISK_BYTES, 2 * checkpoint.size)

    def _remove_local(self) -> None:
        """Delete stored folders but for the newest and the best, which training may still read."""
        metrics = {self._ref(checkpoint): checkpoint.metrics for checkpoint in self._local}
        kept = {max(metrics)}
        if self._retention.best is not None:
            kept.update(ranked(metrics, self._retention.best.metric, self._retention.best.direction)[:1])
        for checkpoint in list(self._local):
            if self._ref(checkpoint) not in kept:
                shutil.rmtree(checkpoint.path, ignore_errors=True)
                self._local.remove(checkpoint)

    def _ref(self, checkpoint: LocalCheckpoint) -> CheckpointRef:
        return CheckpointRef(checkpoint.step, self._attempt)

    def _tell(self) -> None:
        error, pending = self.last_error, len(self._pending)
        if error is not None:
            sync = SyncState(healthy=False, reason=error.reason, message=str(error), pending=pending)
        elif self.not_deleted is not None:
            sync = SyncState(reason=Reason.RETENTION_FAILED, message=str(self.not_deleted), pending=pending)
        else:
            sync = SyncState(pending=pending)
        self._status.set_sync(sync)
