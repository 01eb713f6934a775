"""How far a run has ever come: the fact that tells a run that never worked from one that is held up."""

from typing import Final

from trainjobs.api.conditions import Milestone
from trainjobs.api.status import RunStatus
from trainjobs.core.decide.attempt import Attempt, final_record

_FROM_LAUNCH_ON: Final = frozenset({"Launching", "Training", "Saving", "Uploading"})


def with_milestone(status: RunStatus, attempt: Attempt) -> RunStatus:
    """`status` that remembers how far the run has come; it never falls back."""
    before, now = milestone_of(status), _seen(status, attempt)
    return status if before.is_past(now) else status.model_copy(update={"reached": now.value})


def milestone_of(status: RunStatus) -> Milestone:
    """How far the run has come, as the status remembers; a word that no version of ours writes is nothing."""
    try:
        return Milestone(status.reached)
    except ValueError:
        return Milestone.NOTHING


def has_launched(stage: str | None) -> bool:
    """Whether an agent at that stage has launched its training."""
    return stage in _FROM_LAUNCH_ON


def _seen(status: RunStatus, attempt: Attempt) -> Milestone:
    steps = [beat.progress.step for beat in attempt.heartbeats if beat.progress is not None]
    remembered = [status.progress.step] if status.progress is not None else []
    if max([*steps, *remembered], default=0) > 0 or status.checkpoints.latest is not None:
        return Milestone.TRAINED
    # Of every node: what one lacks, it may lack for good.
    if all(_prepared(attempt, rank) for rank in range(attempt.nodes)):
        return Milestone.PREPARED
    return Milestone.STARTED if attempt.started else Milestone.NOTHING


def _prepared(attempt: Attempt, rank: int) -> bool:
    beats = (beat.stage for beat in attempt.heartbeats if beat.node_rank == rank)
    records = (record.stage for pod in attempt.on(rank) if (record := final_record(pod)) is not None)
    return any(has_launched(stage) for stage in (*beats, *records))
