"""Several runs in the order of their dependencies."""

from collections.abc import Sequence
from graphlib import CycleError, TopologicalSorter

from trainjobs.api.runs import Run
from trainjobs.core.decide.dependencies import references
from trainjobs.errors import InvalidRecipe

RunKey = tuple[str, str]
"""Kind and name."""


def key_of(run: Run) -> RunKey:
    """Kind and name of a run."""
    return run.kind, run.metadata.name


def in_order(runs: Sequence[Run]) -> tuple[Run, ...]:
    """`runs`, each after those it starts from; otherwise in the order given.

    Raises:
        InvalidRecipe: two runs have the same kind and name, or they wait for each other.
    """
    by_key: dict[RunKey, Run] = {}
    for run in runs:
        if key_of(run) in by_key:
            raise InvalidRecipe(f"{run.kind} {run.metadata.name}: stands twice; give each run its own name")
        by_key[key_of(run)] = run
    sorter: TopologicalSorter[RunKey] = TopologicalSorter()
    for run in runs:
        needed = ((reference.kind, reference.name) for _, reference in references(run))
        sorter.add(key_of(run), *(key for key in needed if key in by_key))
    try:
        order = list(sorter.static_order())
    except CycleError as error:
        names = " → ".join(f"{kind} {name}" for kind, name in error.args[1])
        raise InvalidRecipe(f"spec.baseModel.fromRun: these runs wait for each other: {names}") from None
    return tuple(by_key[key] for key in order)
