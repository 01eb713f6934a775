"""After a failure a run goes on with its next attempt: within two budgets, or when what it lacks is back."""

from datetime import datetime, timedelta
from typing import Final

from trainjobs.api.conditions import Reason
from trainjobs.api.runs import Run
from trainjobs.api.status import RunStatus
from trainjobs.core.decide.ending import End, attempt_ended, run_failed, unsynced, with_failure
from trainjobs.core.decide.out_of_memory import halves_batch
from trainjobs.core.decide.reached import milestone_of
from trainjobs.core.failures import TABLE, Budget

FIRST_DELAY: Final = timedelta(seconds=10)
LONGEST_DELAY: Final = timedelta(minutes=5)
LONGEST_WAIT: Final = timedelta(minutes=10)
"""Between two looks whether what the run lacks is back: each takes the run's machines for a while."""


def after_failure(status: RunStatus, run: Run, attempt: int, end: End, now: datetime) -> RunStatus:
    """`status` after an attempt has ended by `end`: counted against its budget, or failed for good.

    `maxRestarts` holds for the whole run. `maxInfrastructureRestarts` is counted anew once a newer complete
    checkpoint exists than when it was last: a run that moves on may be interrupted as often as it likes. What
    is waited out has no limit but the run's deadlines.
    """
    halves = halves_batch(run, end.reason)
    budget = Budget.RESTARTS if halves else _budget(status, end)
    status = attempt_ended(status, attempt, end.reason, now, budget)
    status = unsynced(with_failure(status, end), end, now)
    policy = run.spec.run_policy
    match budget:
        case Budget.NONE:
            return run_failed(status, end.reason, end.message, now)
        case Budget.RESTARTS:
            if status.restarts >= policy.max_restarts:
                return _exhausted(status, end, policy.max_restarts, "maxRestarts", now)
            update = {"restarts": status.restarts + 1, "batch_halvings": status.batch_halvings + halves}
            return status.model_copy(update=update)
        case Budget.INFRASTRUCTURE:
            status = counted_anew(status)
            limit = policy.max_infrastructure_restarts
            if status.infrastructure_restarts >= limit:
                return _exhausted(status, end, limit, "maxInfrastructureRestarts", now)
            return status.model_copy(update={"infrastructure_restarts": status.infrastructure_restarts + 1})
        case Budget.WAITS:
            status = counted_anew(status)
            return status.model_copy(update={"waits": status.waits + 1})


def counted_anew(status: RunStatus) -> RunStatus:
    """`status` with no infrastructure restarts and no waits, where a checkpoint is newer than at the last."""
    latest = status.checkpoints.latest
    if latest is None or latest.step <= status.progress_step:
        return status
    return status.model_copy(update={"infrastructure_restarts": 0, "waits": 0, "progress_step": latest.step})


def not_before(status: RunStatus) -> datetime | None:
    """When the next attempt may start: at once after one restart, ever later after more.

    What is waited out is never back at once.
    """
    if status.ended is None or status.ended.reason == Reason.SUSPENDED:
        return None
    if is_waited_out(status):
        return status.ended.time + _grown(status.waits, LONGEST_WAIT)
    infrastructure = status.ended.budget == Budget.INFRASTRUCTURE
    count = status.infrastructure_restarts if infrastructure else status.restarts
    return None if count <= 1 else status.ended.time + _grown(count - 1, LONGEST_DELAY)


def is_waited_out(status: RunStatus) -> bool:
    """Whether the newest end is one that is waited out."""
    return status.ended is not None and status.ended.budget == Budget.WAITS


def _grown(count: int, longest: timedelta) -> timedelta:
    doubled: int = 2 ** min(max(count, 1) - 1, 8)
    return min(FIRST_DELAY * doubled, longest)


def _budget(status: RunStatus, end: End) -> Budget:
    return TABLE[end.reason].budget_after(milestone_of(status), launched=end.launched)


def _exhausted(status: RunStatus, end: End, limit: int, field: str, now: datetime) -> RunStatus:
    message = f"{end.reason} after {limit} restarts (spec.runPolicy.{field}): {end.message}"
    return run_failed(status, Reason.RESTARTS_EXHAUSTED, message, now)
