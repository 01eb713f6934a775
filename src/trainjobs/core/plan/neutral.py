"""The neutral plan of one attempt: what every backend has to bring about."""

from dataclasses import dataclass

from trainjobs.api.runs import Run
from trainjobs.core.decide.decision import StartAttempt
from trainjobs.core.recipe.model import Recipe
from trainjobs.core.recipe.resolve import resolve
from trainjobs.core.settings import Settings


@dataclass(frozen=True, slots=True)
class Plan:
    """One attempt of one run."""

    job_name: str
    """`<run>-<uid5>-<attempt>`: nobody else's, and never used twice."""
    attempt: int
    run: Run
    recipe: Recipe
    queued: bool
    settings: Settings
    halve_batch: int = 0
    """How many times the recipe's batch was halved against the manifest."""


def make_plan(run: Run, start: StartAttempt, settings: Settings) -> Plan:
    """What has to exist for this attempt of `run`.

    Raises:
        InvalidRecipe: the run cannot be resolved (see `core.recipe.resolve`).
    """
    return Plan(
        job_name=job_name(run, start.attempt),
        attempt=start.attempt,
        run=run,
        recipe=resolve(run, settings, halve_batch=start.halve_batch),
        queued=start.queued,
        settings=settings,
        halve_batch=start.halve_batch,
    )


def job_name(run: Run, attempt: int) -> str:
    """Name of the job of one attempt."""
    return f"{base_name(run)}-{attempt}"


def base_name(run: Run) -> str:
    """`<run>-<uid5>`: what the names of a run's objects begin with; another run of the name has another."""
    return f"{run.metadata.name}-{run.metadata.uid.replace('-', '')[:5]}"
