"""What is known of a run's sizes on this machine, for `trainjobs plan`: files are measured, not read."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from trainjobs.api.runs import Run
from trainjobs.api.sources import sources
from trainjobs.core.plan.estimate import Estimate
from trainjobs.core.plan.workspace import Sizes, parameters_named
from trainjobs.core.recipe.model import Recipe
from trainjobs.local.paths import path_here

_FETCHED: Final = ("s3://", "hf://", "file://./")
"""What a node fetches; what lies beside a manifest has to be brought to such a place first."""
_HALF_PRECISION: Final = 2
"""Bytes of a parameter, as models are published."""


def sizes_of(
    run: Run, file: Path, recipe: Recipe, estimate: Estimate | None, steps: tuple[int, int] | None
) -> Sizes | None:
    """What is known of what a node will keep; None where nothing says how large the model is.

    Args:
        run: the run.
        file: the manifest it stands in.
        recipe: the run, resolved.
        estimate: of its base model, where that is on this machine; else its name has to do.
        steps: per epoch and in all, where the rows are on this machine.
    """
    if recipe.command:
        # What a script of the user's own writes, only it knows.
        return None
    named = parameters_named(recipe.model.uri) if estimate is None else None
    parameters = estimate.parameters if estimate is not None else named
    if parameters is None:
        return None
    trained = parameters if recipe.adapter.type == "None" else 0
    return Sizes(
        parameters=parameters,
        trained=estimate.trained if estimate is not None else trained,
        fetched=dict(_fetched(run, file, parameters)),
        steps=steps,
        by_name=estimate is None,
    )


def _fetched(run: Run, file: Path, parameters: int) -> Iterator[tuple[str, int]]:
    if run.spec.workspace.cache_claim_name:
        return
    data = 0
    for source in sources(run.spec, "spec"):
        if not source.uri.startswith(_FETCHED):
            continue
        here = path_here(source.uri, file.parent)
        size = _bytes_of(here) if here is not None else None
        if source.names.kind == "Model":
            yield "base model", size or _HALF_PRECISION * parameters
        elif source.names.kind == "Data":
            data += size or 0
    yield "data", data


def _bytes_of(path: Path) -> int:
    found = [path] if path.is_file() else [one for one in path.rglob("*") if one.is_file()]
    return sum(one.stat().st_size for one in found)
