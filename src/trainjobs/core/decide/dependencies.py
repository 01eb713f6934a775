"""A run that starts from others waits until they have succeeded, and then keeps to what they had reached."""

from dataclasses import dataclass

from trainjobs.api.conditions import ConditionType, Reason
from trainjobs.api.model_source import RunReference
from trainjobs.api.runs import Run
from trainjobs.api.sources import models
from trainjobs.api.status import DependencyStatus, RunStatus
from trainjobs.core.decide import conditions
from trainjobs.core.decide.ending import End
from trainjobs.core.decide.observed import DependencyState, Observed


@dataclass(frozen=True, slots=True)
class Dependencies:
    """How far the runs are that this one starts from."""

    pinned: tuple[DependencyStatus, ...]
    """Those whose model is known; known once, it stays."""
    waiting: tuple[str, ...] = ()
    """What is waited for, in words."""
    missing: bool = False
    """Whether one of those was never seen."""
    end: End | None = None
    """Why the run will never start."""


def dependencies(observed: Observed) -> Dependencies:
    """Look at every run that this one starts from.

    One that does not exist yet is waited for; one that failed, is being deleted, or was there and is gone
    again, ends this run.
    """
    status = observed.run.status
    pinned = {(one.kind, one.name, one.checkpoint): one for one in status.dependencies}
    waiting: list[str] = []
    missing = False
    for field, reference in references(observed.run):
        key = reference.kind, reference.name, reference.checkpoint
        if key in pinned:
            continue
        found = _state(observed, reference)
        end = _end(field, reference, found, seen=_was_seen(status))
        if end is not None:
            return Dependencies(tuple(pinned.values()), end=end)
        if found is not None and found.status is not None and _succeeded(found.status):
            uri = _model(found.status, reference)
            pinned[key] = DependencyStatus(
                kind=reference.kind, name=reference.name, checkpoint=reference.checkpoint, uri=uri
            )
        elif found is None or found.status is None:
            missing = True
            waiting.append(f"{reference.kind} {reference.name}, which does not exist yet")
        else:
            waiting.append(f"{reference.kind} {reference.name} ({found.status.phase or 'Pending'})")
    return Dependencies(tuple(pinned.values()), tuple(waiting), missing)


def references(run: Run) -> list[tuple[str, RunReference]]:
    """Every run that this one starts from, with the field that names it."""
    named = models(run.spec, "spec")
    return [(field, source.from_run) for field, source in named if source.from_run is not None]


def _state(observed: Observed, reference: RunReference) -> DependencyState | None:
    return next(
        (
            state
            for state in observed.dependencies
            if (state.kind, state.name) == (reference.kind, reference.name)
        ),
        None,
    )


def _was_seen(status: RunStatus) -> bool:
    """Whether every run that is waited for existed when this was last decided."""
    reason = conditions.reason_of(status, ConditionType.DEPENDENCIES_READY)
    return reason == Reason.WAITING_FOR_DEPENDENCY


def _end(field: str, reference: RunReference, found: DependencyState | None, *, seen: bool) -> End | None:
    where = f"{field}.fromRun: {reference.kind} {reference.name}"
    if found is not None and found.deleted:
        return End(Reason.DEPENDENCY_MISSING, f"{where} is being deleted")
    if found is None or found.status is None:
        return End(Reason.DEPENDENCY_MISSING, f"{where} was deleted") if seen else None
    if conditions.holds(found.status, ConditionType.FAILED):
        return End(Reason.DEPENDENCY_FAILED, f"{where} has failed")
    if _succeeded(found.status) and not _model(found.status, reference):
        return End(Reason.DEPENDENCY_FAILED, f"{where} has succeeded but left no model")
    return None


def _succeeded(status: RunStatus) -> bool:
    return conditions.holds(status, ConditionType.SUCCEEDED)


def _model(status: RunStatus, reference: RunReference) -> str:
    """URI of the model that the reference means; empty for none.

    The model a run leaves is its best; where it ended with another one, that is in its newest checkpoint.
    """
    artifacts, latest, best = status.artifacts, status.checkpoints.latest, status.checkpoints.best
    if (
        reference.checkpoint == "Final"
        and latest is not None
        and best is not None
        and latest.step != best.step
    ):
        return latest.uri
    return artifacts.model or artifacts.adapter or ""
