"""Which checkpoints are deleted: all but the newest N, the best K and the protected ones."""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from trainjobs.api.figures import Direction
from trainjobs.core.checkpoints.layout import CheckpointRef
from trainjobs.errors import InvalidRecipe


@dataclass(frozen=True, slots=True)
class Best:
    """Keep the `keep` best checkpoints by one metric."""

    keep: int
    metric: str
    direction: Direction

    def __post_init__(self) -> None:
        if self.keep < 0:
            raise InvalidRecipe(
                f"spec.checkpoints.keepBest: {self.keep} is not allowed; give a number of at least 0"
            )


@dataclass(frozen=True, slots=True)
class Retention:
    """The newest checkpoint is always kept: a run that lost it could not go on."""

    keep_latest: int
    best: Best | None = None

    def __post_init__(self) -> None:
        if self.keep_latest < 1:
            raise InvalidRecipe(
                f"spec.checkpoints.keepLatest: {self.keep_latest} is not allowed; give a number of at least 1"
            )


MetricsByCheckpoint = Mapping[CheckpointRef, Mapping[str, float]]


def ranked(checkpoints: MetricsByCheckpoint, metric: str, direction: Direction) -> tuple[CheckpointRef, ...]:
    """Return the checkpoints that have the metric, best first; of equals the older step first.

    A metric that is missing or not finite is no figure: such a checkpoint is never best.
    """
    sign = 1.0 if direction == "Lower" else -1.0
    scored = [
        (sign * metrics[metric], ref)
        for ref, metrics in checkpoints.items()
        if math.isfinite(metrics.get(metric, math.nan))
    ]
    return tuple(ref for _, ref in sorted(scored))


def left_behind(
    off_the_line: Collection[CheckpointRef], line: Collection[CheckpointRef], keep_latest: int
) -> tuple[CheckpointRef, ...]:
    """Return which checkpoints off the line may be deleted, oldest first.

    One that an attempt has passed over, or did not want, may be good, and the best there is, until the
    attempts after it hold as many as a run is to keep.
    """
    return tuple(
        ref
        for ref in sorted(off_the_line)
        if sum(newer.attempt > ref.attempt for newer in line) >= keep_latest
    )


def to_delete(
    checkpoints: MetricsByCheckpoint, retention: Retention, protected: Collection[CheckpointRef]
) -> tuple[CheckpointRef, ...]:
    """Return the checkpoints to delete, oldest first.

    Args:
        checkpoints: the complete checkpoints of a run with their metrics.
        protected: kept whatever the rules say, as what a live attempt resumes from.
    """
    kept = set(sorted(checkpoints)[-retention.keep_latest :]) | set(protected)
    if retention.best is not None:
        best = ranked(checkpoints, retention.best.metric, retention.best.direction)
        kept.update(best[: retention.best.keep])
    return tuple(ref for ref in sorted(checkpoints) if ref not in kept)
