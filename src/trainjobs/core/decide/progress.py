"""What agents report reaches the status: results at once, mere progress now and then."""

from datetime import datetime, timedelta
from typing import Final

from trainjobs.api.status import DAMAGED_NAMED, Progress, RunStatus
from trainjobs.core.decide.attempt import Attempt
from trainjobs.core.reports import Heartbeat

WRITE_EVERY: Final = timedelta(seconds=30)
WRITE_EVERY_PERCENT: Final = 5
"""Progress is written at most this often: every write costs the API server, and everybody who watches."""


def reported(status: RunStatus, attempt: Attempt) -> RunStatus:
    """`status` with what node 0 of the attempt says, where that is worth a write of its own.

    A complete checkpoint always is, and so is a damaged one, which any node may find.
    """
    for rank in range(attempt.nodes):
        beat = attempt.heartbeat(rank)
        status = _with_damage(status, beat) if beat is not None and beat.damaged else status
    leader = attempt.heartbeat(0)
    if leader is None:
        return status
    told = leader.checkpoints
    if (told.latest or told.best) and told != status.checkpoints:
        status = status.model_copy(update={"checkpoints": told})
        return latest(status, attempt)
    if leader.progress is not None and _due(status.progress, leader.progress):
        return latest(status, attempt)
    return status


def _with_damage(status: RunStatus, beat: Heartbeat) -> RunStatus:
    named = {one.uri for one in beat.damaged}
    known = [one for one in status.damaged_checkpoints if one.uri not in named]
    return status.model_copy(update={"damaged_checkpoints": [*known, *beat.damaged][-DAMAGED_NAMED:]})


def latest(status: RunStatus, attempt: Attempt) -> RunStatus:
    """`status` with the newest progress and metrics, for when it is written anyway."""
    leader = attempt.heartbeat(0)
    if leader is None or leader.progress is None:
        return status
    update: dict[str, object] = {"progress": leader.progress}
    if leader.metrics.latest or leader.metrics.best:
        update["metrics"] = leader.metrics
    return status.model_copy(update=update)


def moving(status: RunStatus, attempt: Attempt) -> bool:
    """Whether a step of this very attempt was ever reported.

    The status remembers it where nothing is heard (the operator has just started): its progress is of this
    attempt when it is younger than the attempt's pods.
    """
    if any(beat.progress is not None and beat.progress.step > 0 for beat in attempt.heartbeats):
        return True
    started = [pod.started for pod in attempt.pods if pod.started is not None]
    remembered = status.progress
    return bool(started) and remembered is not None and _of_this(remembered, min(started))


def _of_this(progress: Progress, started: datetime) -> bool:
    return progress.step > 0 and progress.updated_time > started


def _due(old: Progress | None, new: Progress) -> bool:
    if old is None or new.step < old.step or new.total_steps != old.total_steps:
        return True
    if new.updated_time - old.updated_time >= WRITE_EVERY:
        return True
    return new.percent // WRITE_EVERY_PERCENT != old.percent // WRITE_EVERY_PERCENT
