"""What this version can do of what a manifest may ask for: said before anything is fetched or held."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from trainjobs.api.runs import PretrainRun, RewardModelRun, RLHFRun, Run
from trainjobs.api.topology import Strategy
from trainjobs.api.training import Adapter
from trainjobs.core.recipe.model import Recipe, Task
from trainjobs.core.recipe.resolve import task_of
from trainjobs.errors import InvalidRecipe

TRAINED: Final[Mapping[Task, str]] = {
    "Regression": "RewardModelRun with spec.objective.type Regression",
}
"""What can be trained, and how a manifest asks for it: the one table, to which an objective adds its line."""
_QUANTIZED_IN_PARTS: Final = "FSDP does not deal out a quantized base; set DDP, or spec.adapter.type: LoRA"


@dataclass(frozen=True, slots=True)
class Unsupported:
    """One thing that a manifest asks for and this version cannot do: the field, and what to do."""

    field: str
    message: str

    def __str__(self) -> str:
        return f"{self.field}: {self.message}"


def unsupported(run: Run) -> Iterator[Unsupported]:
    """Yield what `run` asks for and cannot get, in the order of the manifest."""
    task = task_of(run)
    if not is_trained(task, run.spec.runtime.command):
        yield Unsupported(_field(run), _cannot_train(run.kind if _field(run) == "kind" else task))
    elif not run.spec.runtime.command and _is_quantized_in_parts(
        run.spec.adapter, run.spec.topology.strategy
    ):
        yield Unsupported("spec.topology.strategy.type", _QUANTIZED_IN_PARTS)


def check_support(runs: Iterable[Run]) -> None:
    """Let pass what this version can do.

    Raises:
        InvalidRecipe: a run asks for something else; one line for each such thing.
    """
    found = [f"{run.kind} {run.metadata.name}: {one}" for run in runs for one in unsupported(run)]
    if found:
        raise InvalidRecipe("\n".join(found))


def is_trained(task: Task, command: list[str]) -> bool:
    """Whether a recipe of this task leads to a training: our own, or the user's (`spec.runtime.command`)."""
    return bool(command) or task in TRAINED


def untrained(recipe: Recipe) -> str | None:
    """Return why a node cannot train this recipe, or None: the operator may be of another version."""
    if not is_trained(recipe.task, recipe.command):
        return f"task: {_cannot_train(recipe.task)}"
    if _is_quantized_in_parts(recipe.adapter, recipe.processes.strategy):
        return f"spec.topology.strategy.type: {_QUANTIZED_IN_PARTS}"
    return None


def _is_quantized_in_parts(adapter: Adapter, strategy: Strategy) -> bool:
    """Whether FSDP would have to deal out weights of 4 bits, which it cannot."""
    return adapter.type == "QLoRA" and strategy.type == "FSDP"


def _field(run: Run) -> str:
    match run:
        case RewardModelRun():
            return "spec.objective.type"
        case RLHFRun():
            return "spec.algorithm.type"
        case PretrainRun():
            return "spec.objective"
        case _:
            return "kind"


def _cannot_train(what: str) -> str:
    return (
        f"{what} is not trained by this version, which trains {', '.join(TRAINED.values())}; "
        "take that, or give a training script of your own as spec.runtime.command"
    )
