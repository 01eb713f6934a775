"""A run has succeeded when every node has, and node 0 says with what."""

from trainjobs.api.conditions import Reason
from trainjobs.api.status import RunStatus
from trainjobs.core.decide.attempt import Attempt, final_record, has_succeeded
from trainjobs.core.decide.ending import End
from trainjobs.core.decide.observed import PodState
from trainjobs.core.reports import Outcome


def completion(attempt: Attempt) -> Outcome | None:
    """Return what the run has reached, or None while it is not complete.

    The job's own word is not enough: a result counts when node 0's agent has written it, after everything
    was in storage. A node whose pod is gone counts as ended well only where the job says that all did.
    """
    if not all(_done(attempt, rank) for rank in range(attempt.nodes)):
        return None
    return next((outcome for pod in attempt.on(0) if (outcome := _outcome(pod))), None)


def without_result(attempt: Attempt) -> End | None:
    """Return why an attempt whose nodes all ended well is over and yet has no result, or None."""
    if completion(attempt) is not None or not all(_done(attempt, rank) for rank in range(attempt.nodes)):
        return None
    pods = attempt.on(0)
    if not pods:
        return End(Reason.POD_LOST, "node 0 is gone, and with it the record of what it reached")
    return End(
        Reason.UNKNOWN,
        "every node ended with exit code 0, but node 0 left no result: was the agent started?",
        node=pods[-1].name,
    )


def below_threshold(attempt: Attempt) -> Outcome | None:
    """Return what a run has reached whose model misses what its manifest asks for, or None."""
    records = (final_record(pod) for pod in attempt.on(0))
    outcomes = (record.outcome for record in records if record is not None)
    return next((outcome for outcome in outcomes if outcome is not None and outcome.missed), None)


def completed(status: RunStatus, outcome: Outcome) -> RunStatus:
    """`status` with what the run has reached."""
    reached = status.progress
    if reached is not None:
        percent = 100 if outcome.step >= outcome.total_steps else reached.percent
        reached = reached.model_copy(
            update={
                "step": outcome.step,
                "total_steps": outcome.total_steps,
                "percent": percent,
                "eta_seconds": None,
            }
        )
    update: dict[str, object] = {"progress": reached, "artifacts": outcome.artifacts}
    if outcome.metrics.latest or outcome.metrics.best:
        update["metrics"] = outcome.metrics
    if outcome.checkpoints.latest or outcome.checkpoints.best:
        update["checkpoints"] = outcome.checkpoints
    return status.model_copy(update=update)


def _done(attempt: Attempt, rank: int) -> bool:
    pods = attempt.on(rank)
    if pods:
        return any(has_succeeded(pod) for pod in pods)
    return attempt.job is not None and attempt.job.succeeded


def _outcome(pod: PodState) -> Outcome | None:
    record = final_record(pod)
    return record.outcome if record and has_succeeded(pod) else None
