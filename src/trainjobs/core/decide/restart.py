"""After a failure a run goes on with its next attempt, within two budgets."""

from datetime import datetime, timedelta
from typing import Final

from trainjobs.api.conditions import Reason
from trainjobs.api.runs import Run
from trainjobs.api.status import RunStatus
from trainjobs.core.decide.ending import End, attempt_ended, run_failed, unsynced, with_failure
from trainjobs.core.decide.out_of_memory import halves_batch
from trainjobs.core.failures import TABLE, Budget

FIRST_DELAY: Final = timedelta(seconds=10)
LONGEST_DELAY: Final = timedelta(minutes=5)


def after_failure(status: RunStatus, run: Run, attempt: int, end: End, now: datetime) -> RunStatus:
    """`status` after an attempt has ended by `end`: counted against its budget, or failed for good.

    `maxRestarts` holds for the whole run. `maxInfrastructureRestarts` is counted anew once a newer complete
    checkpoint exists than when it was last: a run that moves on may be interrupted as often as it likes.
    """
    status = unsynced(with_failure(attempt_ended(status, attempt, end.reason, now), end), end, now)
    policy = run.spec.run_policy
    if halves_batch(run, end.reason):
        if status.restarts >= policy.max_restarts:
            return _exhausted(status, end, policy.max_restarts, "maxRestarts", now)
        update = {"restarts": status.restarts + 1, "batch_halvings": status.batch_halvings + 1}
        return status.model_copy(update=update)
    match TABLE[end.reason].budget:
        case Budget.NONE:
            return run_failed(status, end.reason, end.message, now)
        case Budget.RESTARTS:
            if status.restarts >= policy.max_restarts:
                return _exhausted(status, end, policy.max_restarts, "maxRestarts", now)
            return status.model_copy(update={"restarts": status.restarts + 1})
        case Budget.INFRASTRUCTURE:
            status = counted_anew(status)
            limit = policy.max_infrastructure_restarts
            if status.infrastructure_restarts >= limit:
                return _exhausted(status, end, limit, "maxInfrastructureRestarts", now)
            return status.model_copy(update={"infrastructure_restarts": status.infrastructure_restarts + 1})


def counted_anew(status: RunStatus) -> RunStatus:
    """`status` with no infrastructure restarts, where a newer checkpoint is complete than when they began."""
    latest = status.checkpoints.latest
    if latest is None or latest.step <= status.progress_step:
        return status
    return status.model_copy(update={"infrastructure_restarts": 0, "progress_step": latest.step})


def not_before(status: RunStatus) -> datetime | None:
    """When the next attempt may start: at once after one restart, ever later after more."""
    if status.ended is None or status.ended.reason == Reason.SUSPENDED:
        return None
    infrastructure = TABLE[Reason(status.ended.reason)].budget is Budget.INFRASTRUCTURE
    count = status.infrastructure_restarts if infrastructure else status.restarts
    if count <= 1:
        return None
    doubled: int = 2 ** min(count - 2, 8)
    return status.ended.time + min(FIRST_DELAY * doubled, LONGEST_DELAY)


def _exhausted(status: RunStatus, end: End, limit: int, field: str, now: datetime) -> RunStatus:
    message = f"{end.reason} after {limit} restarts (spec.runPolicy.{field}): {end.message}"
    return run_failed(status, Reason.RESTARTS_EXHAUSTED, message, now)
