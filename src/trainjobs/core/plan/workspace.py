"""Whether what one node keeps in its workspace at once fits there, before it starts.

At least this lies on node 0 while a checkpoint is written (`agent.fetch`, `agent.sync`, `agent.finish`):

- the base model and the data, where they are fetched and no cache claim keeps them;
- the checkpoint that an attempt went on from: a restart has to fit, too;
- the newest and the best checkpoint that are in storage, which training may still read, and the one that is
  written meanwhile: fewer where the run saves fewer;
- the finished model.

A checkpoint is 4·T bytes of weights and 8·T of optimizer (T are the trained parameters), of which every node
writes its share: of the optimizer with ZeRO, of both with FSDP. What an attempt goes on from is fetched whole
with FSDP, whose shards are dealt out anew. A node whose uploads fall behind keeps more.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from trainjobs.api import labels
from trainjobs.core.plan.objects import Object, child, children, text
from trainjobs.core.plan.quantities import amount, room_for
from trainjobs.core.recipe.model import Recipe

VOLUME: Final = "workspace"
_DISK: Final = "ephemeral-storage"
_KEPT: Final = 3
_FIELD: Final = "spec.workspace.size"
_PARAMETERS: Final = re.compile(
    r"(?<![A-Za-z0-9.])(?:(\d{1,3})[xX])?(\d{1,4}(?:\.\d{1,3})?)([BbMm])(?![A-Za-z0-9])"
)
_UNITS: Final = {"b": 10**9, "m": 10**6}


@dataclass(frozen=True, slots=True)
class Workspace:
    """What one node keeps, and where; sizes in bytes."""

    contents: Mapping[str, int]
    """By what it is."""
    checkpoints: int
    """How many of them lie there at once."""
    room: float | None
    """Of the volume; None where it has no bound, or that is not known."""
    field: str
    """What sets that."""
    by_name: bool
    """Whether the base model is known by its name only."""

    @property
    def needed(self) -> int:
        """Bytes in all."""
        return sum(self.contents.values())

    @property
    def fits(self) -> bool:
        """Whether it does, as far as can be known."""
        return self.room is None or self.needed <= self.room

    @property
    def advice(self) -> str:
        """What to set where it does not fit."""
        return f"set {self.field} to {room_for(self.needed)}"


@dataclass(frozen=True, slots=True)
class Sizes:
    """What is known of a run before it starts."""

    parameters: int
    """Of the base model."""
    trained: int
    """Those that change."""
    fetched: Mapping[str, int]
    """Bytes of what a node fetches, by what it is."""
    steps: tuple[int, int] | None
    """Per epoch and in all; None where the rows are not known."""
    by_name: bool = False
    """Whether the base model is known by its name only."""


def workspace(recipe: Recipe, template: Object, sizes: Sizes) -> Workspace:
    """What node 0 keeps in its workspace.

    Args:
        recipe: the resolved run.
        template: the PodTemplateSpec, as it is in the end.
        sizes: of model and data.
    """
    at_once = _at_once(recipe, sizes.steps)
    written, fetched = _checkpoint(recipe, sizes.trained)
    # An adapter is merged at the end, into a model of the base's size in half precision.
    model = (4 if recipe.adapter.type == "None" else 2) * sizes.parameters
    contents = {
        **sizes.fetched,
        "checkpoints": (at_once - 1) * written + (fetched if at_once > 1 else written),
        "finished model": model,
    }
    room, field = _room(child(template, "spec"))
    return Workspace(
        {what: size for what, size in contents.items() if size}, at_once, room, field, sizes.by_name
    )


def parameters_named(uri: str) -> int | None:
    """How many parameters a model has by its name, `hf://Qwen/Qwen2.5-7B`; None where that does not say."""
    found = [
        int(experts or 1) * float(number) * _UNITS[unit.lower()]
        for experts, number, unit in _PARAMETERS.findall(uri.partition("://")[2])
    ]
    return int(found[-1]) if found else None


def _at_once(recipe: Recipe, steps: tuple[int, int] | None) -> int:
    """How many checkpoints lie there while one is written."""
    if steps is None or recipe.checkpoints.save_every_seconds is not None:
        return _KEPT + 1
    per_epoch, total = steps
    saves = math.ceil(total / (recipe.checkpoints.save_every_steps or per_epoch))
    # One save is the last: there is nothing to go on from before it.
    return min(saves, _KEPT) + (saves > 1)


def _checkpoint(recipe: Recipe, trained: int) -> tuple[int, int]:
    """Bytes of one checkpoint on a node: as it writes it, and as it fetches it to go on."""
    strategy, nodes = recipe.processes.strategy, recipe.processes.nodes
    weights, optimizer = 4 * trained, 8 * trained
    if strategy.type == "FSDP":
        return (weights + optimizer) // nodes, weights + optimizer
    stage = strategy.deep_speed.stage if strategy.deep_speed else 2
    shared = strategy.type == "DeepSpeed" and stage >= 1
    one = weights + optimizer // (nodes if shared else 1)
    return one, one


def _room(pod: Object) -> tuple[float | None, str]:
    """How much the workspace's volume holds, and what says so."""
    volume = next((one for one in children(pod, "volumes") if text(one, "name") == VOLUME), {})
    claim = child(child(child(volume, "ephemeral"), "volumeClaimTemplate"), "spec")
    asked = child(child(claim, "resources"), "requests").get("storage")
    directory = child(volume, "emptyDir")
    sizes = {_FIELD: amount(asked if claim else directory.get("sizeLimit"))}
    if directory and not directory.get("medium"):
        container = next(
            (one for one in children(pod, "containers") if text(one, "name") == labels.CONTAINER), {}
        )
        limit = child(child(container, "resources"), "limits").get(_DISK)
        sizes[f"spec.resources.limits.{_DISK}"] = amount(limit)
    known = {field: size for field, size in sizes.items() if size is not None}
    field = min(known, key=lambda one: known[one], default=_FIELD)
    return known.get(field), field
