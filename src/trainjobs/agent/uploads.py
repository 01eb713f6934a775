"""Checkpoints of this machine on their way to storage: what waits, what is next, what is given up."""

import logging
import math
import random
import shutil
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime

from trainjobs.agent.destinations import Whole
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
_LOOK_SECONDS = 0.5
"""How often nodes look in storage what the others have done."""
# A node that is lost ends the attempt: this is for one that lives and does not answer. Doubled each time it
# was too short, so that uploads of any length come through.
_PATIENCE_SECONDS = 3600.0
# Parts of one checkpoint take some time more on one node than on another.
_TOLD_AFTER_SECONDS = 120.0
UNTIL_CHANGED = math.inf


class Uploads:
    """What is to be stored, oldest first; `look` does the next thing, and whoever calls it decides when."""

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
        """`destination`, `tidy`: as of `agent.sync.CheckpointSync`."""
        self._store = store
        self._destination = destination
        self._retention = retention_of(checkpoints)
        self._status = status
        self._attempt = attempt
        self._tidy = tidy
        self._lock = threading.RLock()
        self._pending: list[LocalCheckpoint] = []
        self._local: list[LocalCheckpoint] = []
        self._current: LocalCheckpoint | None = None
        """What is being brought: never given up for newer ones."""
        self._since: datetime | None = None
        """Since when its other parts are awaited."""
        self._patience = _PATIENCE_SECONDS
        self._pause = _FIRST_PAUSE
        self._tries = 0
        self.last_error: TrainjobsError | None = None
        self.not_deleted: TrainjobsError | None = None
        """Why checkpoints that are kept no longer are still there."""

    @property
    def pending(self) -> tuple[LocalCheckpoint, ...]:
        """What is not complete in storage, or not this node's part of it."""
        return tuple(self._pending)

    @property
    def over(self) -> bool:
        """Whether no other node waits for this one."""
        return self._destination.over

    def needed(self) -> frozenset[int]:
        """Return without which nodes nothing can be complete: node 0, or those whose part is missing."""
        if self._destination.node_rank:
            return frozenset({0})
        return frozenset(self._destination.missing() if self._since is not None else ())

    def add(self, checkpoint: LocalCheckpoint) -> None:
        """Store a checkpoint when its turn comes."""
        with self._lock:
            self._pending.append(checkpoint)
            # Where node 0 chooses, what it may still choose is known after a look, or before it can go on.
            if (
                self._destination.node_rank == 0
                or self._current is not None
                or self._short_of_disk(checkpoint)
            ):
                self._drop_superseded()
        self._tell()

    def hurry(self) -> None:
        """Try at once again, and soon, what failed a while ago: now somebody waits for it."""
        self._pause = min(self._pause, _FIRST_PAUSE)

    def look(self, *, more: bool) -> float:
        """Do the next thing; return in how many seconds to look again.

        Args:
            more: False once training has ended.

        Raises:
            Fenced: a newer attempt owns the run.
        """
        try:
            return self._look(more=more)
        except Fenced:
            raise
        except (InvalidData, InvalidRecipe) as error:
            return self._unusable(error)
        except (StorageUnavailable, AccessDenied) as error:
            return self._failed(error)
        except OSError as error:
            where = error.filename or "a checkpoint"
            return self._failed(StorageUnavailable(f"{where}: {error.strerror or error}"))

    def _look(self, *, more: bool) -> float:
        checkpoint = self._destination.next(self.pending, more=more)
        with self._lock:
            if (
                checkpoint is not None
                and self._destination.node_rank == 0
                and checkpoint not in self._pending
            ):
                return 0.0
            if checkpoint != self._current:
                self._current, self._since = checkpoint, None
        self._give_way()
        if checkpoint is None:
            self._is_well()
            asked = self._destination.node_rank > 0 and (self._pending or not more)
            waits = (asked and not self.over) or self._destination.asked_anew
            return _LOOK_SECONDS if waits else UNTIL_CHANGED
        if not self._bring(checkpoint):
            return self._awaits_parts(checkpoint)
        self._arrived(checkpoint)
        return 0.0

    def _give_way(self) -> None:
        """Have nothing to do with what node 0 has passed over, or will."""
        if self._destination.node_rank == 0:
            return
        with self._lock:
            for checkpoint in [one for one in self._pending if self._destination.passed(one)]:
                self._supersede(checkpoint, delete=self._tidy)
            self._drop_superseded()

    def _is_well(self) -> None:
        """Storage answers, and there is nothing to bring to it at the moment."""
        if not isinstance(self.last_error, InvalidRecipe):
            self._pause, self.last_error = _FIRST_PAUSE, None
        self._tell()

    def _bring(self, checkpoint: LocalCheckpoint) -> bool:
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

    def _awaits_parts(self, checkpoint: LocalCheckpoint) -> float:
        """Come back to it: not for ever, and not where another node has it no more.

        Raises:
            Fenced, StorageUnavailable, AccessDenied: what is given up cannot be taken away.
        """
        now = datetime.now(UTC)
        self._since = self._since or now
        waited, declined = (now - self._since).total_seconds(), self._destination.declined()
        if not declined and waited < self._patience:
            self._is_well()
            return _LOOK_SECONDS
        nodes = ", ".join(map(str, declined or self._destination.missing()))
        _log.warning("checkpoint of step %d is given up: no part of node %s", checkpoint.step, nodes)
        self._store.discard(self._ref(checkpoint))
        self._status.upload_failures += 1
        self._patience *= 1 if declined else 2
        with self._lock:
            self._drop(checkpoint)
        self._tell()
        return 0.0

    def _drop(self, checkpoint: LocalCheckpoint) -> None:
        """Have nothing more to do with it."""
        self._pending = [other for other in self._pending if other.path != checkpoint.path]
        if self._current is not None and self._current.path == checkpoint.path:
            self._current = self._since = None

    def _supersede(self, checkpoint: LocalCheckpoint, *, delete: bool) -> None:
        _log.info("checkpoint of step %d is superseded before it was stored", checkpoint.step)
        self._drop(checkpoint)
        if delete:
            self._destination.give_up(checkpoint)
            shutil.rmtree(checkpoint.path, ignore_errors=True)

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
        with self._lock:
            self._drop(checkpoint)
            self._local.append(checkpoint)
            self._pause, self._tries, self.last_error = _FIRST_PAUSE, 0, None
            if self._tidy or self._short_of_disk(checkpoint):
                self._remove_local()
        self._tell()

    def _unusable(self, error: TrainjobsError) -> float:
        """A folder that changes may be whole soon; one that goes on changing, or is gone, is given up.

        So is, at once, what storage refuses for good.
        """
        checkpoint = self._current
        if checkpoint is None:
            return self._failed(error)
        self._tries += 1
        refused = isinstance(error, InvalidRecipe)
        if not refused and checkpoint.path.is_dir() and self._tries < _TRIES_OF_A_CHANGING_FOLDER:
            return _FIRST_PAUSE
        _log.warning("checkpoint of step %d cannot be stored: %s", checkpoint.step, error)
        self._status.upload_failures += 1
        self._destination.give_up(checkpoint)
        with self._lock:
            self._tries = 0
            self.last_error = error if refused else self.last_error
            self._drop(checkpoint)
        self._tell()
        return 0.0

    def _failed(self, error: TrainjobsError) -> float:
        self._status.upload_failures += 1
        if self.last_error is None:
            _log.warning("checkpoints do not reach storage: %s; training goes on", error)
        self.last_error = error
        with self._lock:
            self._drop_superseded()
        self._tell()
        # Jitter: the nodes of many runs would come back all at once after an outage.
        pause = self._pause * random.uniform(0.5, 1.5)
        self._pause = min(_LONGEST_PAUSE, 2 * self._pause)
        return pause

    def _drop_superseded(self) -> None:
        """Give up what retention would delete at once, when uploads fall behind or the disk runs short."""
        short = bool(self._pending) and self._short_of_disk(self._pending[-1])
        keep = (
            replace(self._retention, keep_latest=2)
            if short and self._retention.keep_latest > 2
            else self._retention
        )
        waiting = [one for one in self._pending if one is not self._current]
        by_ref = {self._ref(checkpoint): checkpoint for checkpoint in waiting}
        for ref in to_delete({ref: checkpoint.metrics for ref, checkpoint in by_ref.items()}, keep, ()):
            self._supersede(by_ref[ref], delete=self._tidy or short)

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
        late = self._late()
        if error is not None:
            sync = SyncState(healthy=False, reason=error.reason, message=str(error), pending=pending)
        elif self.not_deleted is not None:
            sync = SyncState(reason=Reason.RETENTION_FAILED, message=str(self.not_deleted), pending=pending)
        elif late:
            sync = SyncState(reason=Reason.PARTS_MISSING, message=late, pending=pending)
        else:
            sync = SyncState(pending=pending)
        self._status.set_sync(sync)

    def _late(self) -> str:
        """Which parts are missing, once that has lasted; empty else."""
        current, since = self._current, self._since
        if current is None or since is None:
            return ""
        if (datetime.now(UTC) - since).total_seconds() < _TOLD_AFTER_SECONDS:
            return ""
        nodes = ", ".join(map(str, self._destination.missing()))
        what = f"the checkpoint of step {current.step} waits for the part of node {nodes}"
        return f"{what}, since {since:%H:%M:%S} UTC"
