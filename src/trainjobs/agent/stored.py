"""What storage holds of a run: its newest and its best checkpoint."""

import logging
from collections.abc import Callable
from pathlib import Path

from trainjobs.api.checkpoints import Checkpoints
from trainjobs.api.status import CheckpointsStatus, CheckpointStatus
from trainjobs.core.checkpoints.layout import CheckpointRef
from trainjobs.core.checkpoints.manifest import Manifest
from trainjobs.core.checkpoints.parts import files_here
from trainjobs.core.checkpoints.resumption import ResumePoint
from trainjobs.core.checkpoints.retention import Best, Retention, ranked
from trainjobs.core.figures.scores import direction_of
from trainjobs.core.outputs import CHECKPOINT_PREFIX, WEIGHT_SHARDS
from trainjobs.errors import CorruptCheckpoint
from trainjobs.storage.checkpoints import CheckpointStore
from trainjobs.storage.store import Digest

_log = logging.getLogger(__name__)


def retention_of(checkpoints: Checkpoints) -> Retention:
    """Return what `spec.checkpoints` says of keeping."""
    best = checkpoints.keep_best
    return Retention(checkpoints.keep_latest, Best(best.count, best.metric, direction_of(best)))


def stored(store: CheckpointStore, retention: Retention, *, uri: str) -> CheckpointsStatus:
    """Return which checkpoints storage holds, newest and best.

    Args:
        store: the run's folder as this node sees it.
        retention: which of them is the best.
        uri: the run's folder as everybody may name it; of a volume, a node sees the mount alone.
    """
    complete = store.complete()
    if not complete:
        return CheckpointsStatus()

    def about(ref: CheckpointRef, manifest: Manifest) -> CheckpointStatus:
        return CheckpointStatus(step=ref.step, uri=f"{uri}/{ref.folder}", time=manifest.created)

    newest = max(complete)
    best: tuple[CheckpointRef, ...] = ()
    if retention.best is not None:
        metrics = {ref: manifest.metrics for ref, manifest in complete.items()}
        best = ranked(metrics, retention.best.metric, retention.best.direction)
    return CheckpointsStatus(
        latest=about(newest, complete[newest]),
        best=about(best[0], complete[best[0]]) if best else None,
        count=len(complete),
    )


def _is_weights(path: str) -> bool:
    return path.endswith(".safetensors") or path.startswith(f"{WEIGHT_SHARDS}/")


def fetch_best_weights(
    store: CheckpointStore,
    resume: ResumePoint,
    retention: Retention,
    folder: Path,
    damaged: Callable[[str, str], None],
) -> CheckpointRef | None:
    """Fetch the weights of the best checkpoint so far beside the one that training goes on from.

    If nothing better follows they are the run's result, and this machine may never have seen them.
    Return which checkpoint that was, or None when there is none besides what is here. `damaged` is told the
    URI of one that cannot be had, and why.
    """
    complete = store.complete()
    if retention.best is None or resume is None:
        return None
    metrics = {ref: manifest.metrics for ref, manifest in complete.items()}
    best = next(iter(ranked(metrics, retention.best.metric, retention.best.direction)), resume)
    if not isinstance(best, CheckpointRef) or best == resume:
        return None
    source = store.store.at(best.folder)
    target = folder / f"{CHECKPOINT_PREFIX}{best.step}"
    try:
        for path, entry in files_here(complete[best], _is_weights).items():
            source.get_file(entry.path, str(target / path), Digest(entry.size, entry.sha256))
    except CorruptCheckpoint as error:
        message = (
            f"the best checkpoint so far, {best.name}, is damaged: {error}; if nothing better follows, "
            "the last weights are the result"
        )
        _log.error("%s", message)
        damaged(f"{store.store.uri}/{best.folder}", message)
        return None
    return best
