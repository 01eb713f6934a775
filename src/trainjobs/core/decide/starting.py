"""Between two attempts: whether the next one may start, and what it waits for."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from trainjobs.api.conditions import ConditionType, Reason
from trainjobs.api.status import RunStatus
from trainjobs.core.decide import conditions
from trainjobs.core.decide.acceptance import refusal
from trainjobs.core.decide.attempt import Attempt, next_number
from trainjobs.core.decide.decision import StartAttempt
from trainjobs.core.decide.dependencies import dependencies
from trainjobs.core.decide.ending import End, run_failed, with_failure
from trainjobs.core.decide.observed import Observed, Refusal
from trainjobs.core.decide.order import starts_from
from trainjobs.core.decide.restart import is_waited_out, not_before
from trainjobs.core.decide.standing import standing
from trainjobs.core.decide.stopping import clear_at
from trainjobs.core.decide.suspension import awake, resting
from trainjobs.core.failures import kind_of


@dataclass(frozen=True, slots=True)
class Step:
    """A status on its way to a decision."""

    status: RunStatus
    start: StartAttempt | None = None
    looks: tuple[datetime, ...] = ()
    """Times at which to look again."""


REFUSED_LOOK = timedelta(minutes=5)
"""How soon to look again at a run that is refused for now: what it misses is not watched."""


def next_attempt(status: RunStatus, observed: Observed, attempt: Attempt, now: datetime) -> Step:
    """Start the next attempt, or say what it waits for."""
    refused = refusal(observed)
    if refused is not None:
        return _refused(status, refused, now)
    status = conditions.true(status, ConditionType.ACCEPTED, Reason.ACCEPTED, "the run is accepted", now)
    clear = clear_at(observed, now)
    is_clear = clear is not None and clear <= now
    waits = () if clear is None or is_clear else (clear,)
    if observed.run.spec.run_policy.suspend:
        return Step(resting(status, now) if is_clear else status, looks=waits)
    status, end = _with_dependencies(awake(status, now), observed, now)
    if end is not None:
        return Step(run_failed(with_failure(status, end), end.reason, end.message, now))
    if not conditions.holds(status, ConditionType.DEPENDENCIES_READY) or not is_clear:
        return Step(status, looks=waits)
    due = not_before(status)
    if due is not None and due > now:
        return Step(_restarting(status, due, now), looks=(due,))
    status = pinned(status, observed)
    if starts_from(status) != starts_from(observed.run.status):
        return Step(status, looks=(now,))
    return _started(status, observed, attempt, now)


def _refused(status: RunStatus, refused: Refusal, now: datetime) -> Step:
    kind = kind_of(refused.reason)
    known = {reason.value: reason for reason in Reason}
    reason = known.get(refused.reason, Reason.INVALID_SPEC)
    status = conditions.false(status, ConditionType.ACCEPTED, reason, refused.message, now)
    if not refused.permanent:
        return Step(status, looks=(refused.again or now + REFUSED_LOOK,))
    end = End(reason, refused.message, advice=kind.advice)
    return Step(run_failed(with_failure(status, end), reason, refused.message, now))


def _with_dependencies(status: RunStatus, observed: Observed, now: datetime) -> tuple[RunStatus, End | None]:
    found = dependencies(observed)
    status = status.model_copy(update={"dependencies": list(found.pinned)})
    if found.end is not None:
        status = conditions.false(
            status, ConditionType.DEPENDENCIES_READY, found.end.reason, found.end.message, now
        )
        return status, found.end
    if found.waiting:
        reason = Reason.DEPENDENCY_MISSING if found.missing else Reason.WAITING_FOR_DEPENDENCY
        message = f"waits for {'; '.join(found.waiting)}"
        return conditions.false(status, ConditionType.DEPENDENCIES_READY, reason, message, now), None
    message = "every run that it starts from has succeeded" if found.pinned else "starts from no other run"
    ready = conditions.true(status, ConditionType.DEPENDENCIES_READY, Reason.DEPENDENCIES_READY, message, now)
    return ready, None


def _restarting(status: RunStatus, due: datetime, now: datetime) -> RunStatus:
    message = f"the next attempt starts at {due:%H:%M:%S %Z}"
    if is_waited_out(status) and status.failure is not None:
        message += f"; {status.failure.reason} is waited out (attempt {status.attempt}, "
        message += f"{status.waits} since the last progress): {status.failure.message}"
    return conditions.false(status, ConditionType.RUNNING, Reason.RESTARTING, message, now)


def _started(status: RunStatus, observed: Observed, attempt: Attempt, now: datetime) -> Step:
    run = observed.run
    number = next_number(observed, attempt)
    queued = run.spec.run_policy.queue_name is not None
    start = StartAttempt(number, halve_batch=status.batch_halvings, queued=queued)
    if number != status.attempt:
        status = begun(status, number, status.start_time or now)
    fresh = Attempt(number, run.spec.topology.nodes, None, "", (), (), (), None)
    return Step(standing(status, fresh, now, queued=queued, moving=False), start)


def pinned(status: RunStatus, observed: Observed) -> RunStatus:
    """`status` with where the run is stored, for good."""
    if status.storage is not None:
        return status
    return status.model_copy(update={"storage": observed.storage})


def begun(status: RunStatus, number: int, start_time: datetime) -> RunStatus:
    """`status` of a run whose current attempt is this one, of which nothing is known yet."""
    status = conditions.without(status, ConditionType.SCHEDULED, ConditionType.RUNNING, ConditionType.HEALTHY)
    return status.model_copy(
        update={"attempt": number, "job": None, "started_pods": [], "start_time": start_time}
    )
