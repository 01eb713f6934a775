"""The life of a run, from its first acceptance to the last of its leftovers."""

from dataclasses import replace
from datetime import datetime, timedelta

from trainjobs.api.conditions import ConditionType, Reason
from trainjobs.api.status import JobReference, RunStatus
from trainjobs.core.decide import conditions
from trainjobs.core.decide.attempt import Attempt, current_attempt, ended_number, is_live
from trainjobs.core.decide.completion import below_threshold, completed, completion
from trainjobs.core.decide.deadlines import deadline
from trainjobs.core.decide.decision import Decision
from trainjobs.core.decide.deletion import deletion, guarded
from trainjobs.core.decide.dependencies import dependencies
from trainjobs.core.decide.display import display
from trainjobs.core.decide.ending import End, attempt_ended, run_failed, run_succeeded, with_failure
from trainjobs.core.decide.judging import judge
from trainjobs.core.decide.loss import started_pods
from trainjobs.core.decide.observed import Observed
from trainjobs.core.decide.phase import phase
from trainjobs.core.decide.progress import latest, moving, reported
from trainjobs.core.decide.reached import with_milestone
from trainjobs.core.decide.restart import after_failure
from trainjobs.core.decide.standing import standing
from trainjobs.core.decide.starting import Step, begun, next_attempt, pinned
from trainjobs.core.decide.stopping import stops
from trainjobs.core.decide.story import story
from trainjobs.core.decide.suspension import clock
from trainjobs.core.decide.ttl import expires


def decide(observed: Observed, now: datetime) -> Decision:
    """Decide what is to be done about a run.

    A pure function: the same observation at the same time gives the same decision, and once that is carried
    out, nothing more is to be done until something happens, or until the time it asks for, which may be now:
    what an attempt starts from is written in one look, and the attempt started in the next.
    """
    if observed.run.metadata.deletion_timestamp is not None:
        return deletion(observed, now)
    before = observed.run.status
    attempt = current_attempt(observed)
    step = Step(before) if _finished(before) else _next_step(observed, attempt, now)
    status = _shown(before, step.status, attempt)
    tidy = expires(status, observed.run.spec.run_policy) if observed.jobs or observed.pods else None
    expired = tidy is not None and tidy <= now
    live = status.attempt if not _finished(status) and status.attempt > ended_number(status) else None
    halts, ends = stops(observed, now, live=live, keep=status.attempt + 1 if expired else status.attempt - 1)
    looks = [*step.looks, *ends, *([tidy] if tidy is not None and not expired else [])]
    add, remove = guarded(observed, starts=step.start is not None)
    return Decision(
        status=status,
        start=step.start,
        stop=halts,
        events=story(before, status),
        requeue_after=max(min(looks) - now, timedelta()) if looks else None,
        add_finalizer=add,
        remove_finalizer=remove,
    )


def _next_step(observed: Observed, attempt: Attempt, now: datetime) -> Step:
    run = observed.run
    status = _taken_up(observed, attempt, now)
    looks: tuple[datetime, ...] = ()
    if attempt.exists:
        status = with_milestone(reported(status, attempt), attempt)
        outcome = completion(attempt)
        if outcome is not None:
            message = f"step {outcome.step} of {outcome.total_steps}; every node has ended well"
            return Step(run_succeeded(completed(status, outcome), message, now))
    if is_live(attempt, status):
        status, looks = _lived(status, observed, attempt, now)
    overdue = None if _finished(status) else deadline(status, run.spec.run_policy, now)
    if isinstance(overdue, End):
        if is_live(attempt, status):
            status = attempt_ended(status, attempt.number, overdue.reason, now)
        status = run_failed(with_failure(status, overdue), overdue.reason, overdue.message, now)
    elif overdue is not None:
        looks = (*looks, overdue)
    if _finished(status) or is_live(attempt, status):
        return Step(status, looks=looks)
    step = next_attempt(status, observed, attempt, now)
    return replace(step, looks=(*step.looks, *looks))


def _lived(
    status: RunStatus, observed: Observed, attempt: Attempt, now: datetime
) -> tuple[RunStatus, tuple[datetime, ...]]:
    """A live attempt goes on, or ends: by failure, or because the run is suspended."""
    policy = observed.run.spec.run_policy
    moves = moving(status, attempt)
    end, looks = judge(attempt, policy, now, patience=observed.patience, moving=moves)
    if end is not None:
        left = below_threshold(attempt)
        status = status if left is None else completed(status, left)
        return after_failure(status, observed.run, attempt.number, end, now), ()
    if policy.suspend:
        return attempt_ended(status, attempt.number, Reason.SUSPENDED, now), ()
    queued = attempt.job is not None and attempt.job.suspended
    status = standing(status, attempt, now, queued=queued, moving=moves)
    return status.model_copy(update={"started_pods": started_pods(attempt)}), looks


def _taken_up(observed: Observed, attempt: Attempt, now: datetime) -> RunStatus:
    """The status, brought in line with the children: an older one takes over a newer attempt."""
    run = observed.run
    status = run.status.model_copy(update={"observed_generation": run.metadata.generation})
    for type_ in (ConditionType.FINISHED, ConditionType.SUCCEEDED, ConditionType.FAILED):
        if conditions.find(status, type_) is None:
            status = conditions.false(status, type_, Reason.NOT_FINISHED, "the run is not finished", now)
    if attempt.number > status.attempt:
        first = min((job.created for job in observed.jobs), default=now)
        status = begun(status, attempt.number, status.start_time or first)
    if attempt.job is not None and (status.job is None or status.job.uid != attempt.job.uid):
        job = JobReference(name=attempt.job.name, uid=attempt.job.uid)
        status = status.model_copy(update={"job": job})
    if attempt.exists:
        status = pinned(status, observed)
        status = status.model_copy(update={"dependencies": list(dependencies(observed).pinned)})
        if conditions.find(status, ConditionType.ACCEPTED) is None:
            status = conditions.true(
                status, ConditionType.ACCEPTED, Reason.ACCEPTED, "the run is accepted", now
            )
    return clock(status, run.spec.run_policy, now)


def _shown(before: RunStatus, status: RunStatus, attempt: Attempt) -> RunStatus:
    """The status with what is only for show; the newest progress comes along when it is written anyway."""
    status = status.model_copy(update={"phase": phase(status)})
    if status.attempt == before.attempt:
        status = conditions.steadied(before, status)
    if status != before and not _finished(status) and attempt.number == status.attempt:
        status = latest(status, attempt)
    return status.model_copy(update={"display": display(status)})


def _finished(status: RunStatus) -> bool:
    return conditions.holds(status, ConditionType.FINISHED)
