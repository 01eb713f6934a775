"""One run as `trainjobs plan` shows it: its objects, why they would be refused, what it would need."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from trainjobs.api.runs import Run
from trainjobs.cli.checkpoint_table import size_text
from trainjobs.cli.model_files import model_shape
from trainjobs.cli.progress import clock
from trainjobs.cli.sizes import sizes_of
from trainjobs.core.decide.decision import StartAttempt
from trainjobs.core.plan.estimate import (
    ACCELERATOR_OPERATIONS,
    CPU_OPERATIONS,
    ROLLOUT_TASKS,
    Estimate,
    ModelShape,
    Part,
    element_bytes,
    operations,
    steps,
)
from trainjobs.core.plan.estimate import estimate as estimated
from trainjobs.core.plan.neutral import Plan, make_plan
from trainjobs.core.plan.objects import Object
from trainjobs.core.plan.render import rendering, with_assumed_models
from trainjobs.core.plan.workspace import Workspace, workspace
from trainjobs.core.recipe.model import Recipe
from trainjobs.core.recipe.pods import accelerators
from trainjobs.core.settings import Settings
from trainjobs.errors import InvalidData, UsageError
from trainjobs.local.paths import path_here
from trainjobs.ml.data.files import data_files, is_rows, lines

UNKNOWN_UID = "00000000-0000-0000-0000-000000000000"
"""The API server gives a run its UID; names that contain it differ on a cluster."""
SPEEDS_DIFFER = 2.0
"""What a processor is faster or slower than the one that was measured, by this factor or less."""
BYTES_PER_TOKEN = 4.0
"""Of English in UTF-8 with the tokenizers of today; of Chinese a little less."""
ROWS_MEASURED = 1000


@dataclass(frozen=True, slots=True)
class Planned:
    """One run, planned."""

    name: str
    file: Path
    recipe: Recipe
    objects: tuple[Object, ...]
    refusals: tuple[str, ...]
    estimate: Estimate | None
    """None where the base model is not on this machine."""
    steps: tuple[int, int] | None
    """Per epoch and in all; None where the rows are not on this machine."""
    operations: float | None
    """Floating-point operations at most; None where model or rows are not on this machine."""
    accelerated: bool
    filled: float
    """Which part of maxLength the texts fill, by their characters; 1 where they are not on this machine."""
    workspace: Workspace | None
    """None where nothing says how large the base model is."""

    @property
    def seconds(self) -> tuple[float, float] | None:
        """How long the steps take, at least and at most, by what is not known of texts and processors."""
        if self.operations is None:
            return None
        speed = ACCELERATOR_OPERATIONS if self.accelerated else CPU_OPERATIONS
        longest = self.operations / (speed * self.recipe.processes.world_size)
        return longest * self.filled / SPEEDS_DIFFER, longest * SPEEDS_DIFFER

    def as_json(self) -> dict[str, object]:
        """For programs; sizes in bytes."""
        found = self.estimate
        return {
            "file": str(self.file),
            "name": self.name,
            "objects": list(self.objects),
            "refusals": list(self.refusals),
            "estimate": {
                "effectiveBatchSize": self.recipe.effective_batch_size,
                "processes": self.recipe.processes.world_size,
                "stepsPerEpoch": self.steps[0] if self.steps else None,
                "steps": self.steps[1] if self.steps else self.recipe.training.max_steps,
                "parameters": found.parameters if found else None,
                "trainedParameters": found.trained if found else None,
                "deviceMemory": {**_named(found.memory), "total": found.device} if found else None,
                "checkpointBytes": found.checkpoint if found else None,
                "workspace": _named_workspace(self.workspace) if self.workspace else None,
                "operations": self.operations,
                "seconds": {"least": self.seconds[0], "most": self.seconds[1]} if self.seconds else None,
            },
        }

    def estimate_lines(self) -> list[str]:
        """For people."""
        recipe, found = self.recipe, self.estimate
        training = recipe.training
        lines = [
            f"effective batch {recipe.effective_batch_size} = {training.batch_size_per_device} per device × "
            f"{training.gradient_accumulation_steps} accumulation × {recipe.processes.world_size} processes"
        ]
        if self.steps:
            lines.append(f"{self.steps[1]} steps, {self.steps[0]} per epoch")
        if found is None:
            lines.append("memory is not estimated: the base model is not on this machine")
            return [*lines, *self._workspace_lines()]
        parts = " + ".join(f"{size_text(size)} {part}" for part, size in found.memory.items())
        lines.append(f"{found.trained:,} of {found.parameters:,} parameters trained")
        lines.append(f"about {size_text(found.device)} per device: {parts}")
        if recipe.task in ROLLOUT_TASKS:
            lines.append("reward models, critic, reference and rollout engine are not in it")
        lines.append(f"about {size_text(found.checkpoint)} per checkpoint")
        lines += self._workspace_lines()
        if self.seconds is not None:
            what = "one A100 in bf16" if self.accelerated else "two CPU cores"
            least, most = (clock(math.ceil(seconds)) for seconds in self.seconds)
            lines.append(
                f"{least} to {most} of training: by how long the texts are, and at half to twice the speed "
                f"of {what} a process"
            )
        return lines

    def _workspace_lines(self) -> list[str]:
        kept = self.workspace
        if kept is None or kept.room is None:
            return []
        names = {"checkpoints": f"{kept.checkpoints} checkpoints"}
        parts = ", ".join(
            f"{names.get(what, what)} {size_text(size)}" for what, size in kept.contents.items()
        )
        known = "; by the model's name" if kept.by_name else ""
        needed = f"about {size_text(kept.needed)} at once ({parts}{known})"
        if kept.fits:
            return [f"workspace: {needed} of {size_text(kept.room)}"]
        return [f"{kept.field}: {size_text(kept.room)} do not hold {needed}; {kept.advice}"]


def _named_workspace(kept: Workspace) -> dict[str, object]:
    return {
        "contents": dict(kept.contents),
        "checkpoints": kept.checkpoints,
        "total": kept.needed,
        "room": kept.room,
        "fits": kept.fits,
        "byName": kept.by_name,
    }


def _named(sizes: Mapping[Part, int]) -> dict[str, int]:
    return {str(part): size for part, size in sizes.items()}


def in_namespace(run: Run, namespace: str | None) -> Run:
    """`run` as `kubectl -n` would create it.

    Raises:
        UsageError: it names another namespace.
    """
    if namespace is None:
        return run
    metadata = run.metadata
    if "namespace" in metadata.model_fields_set and metadata.namespace != namespace:
        raise UsageError(
            f"-n {namespace}: {run.kind} {metadata.name} names {metadata.namespace} in metadata.namespace; "
            "leave one of them out"
        )
    return run.model_copy(update={"metadata": metadata.model_copy(update={"namespace": namespace})})


def planned(run: Run, file: Path, settings: Settings, attempt: int) -> Planned:
    """Plan one attempt of a run that stands in `file`."""
    plan = _plan(run, settings, attempt)
    shown = rendering(plan)
    folder, rows = path_here(plan.recipe.model.uri, file.parent), _rows(run, file)
    model = model_shape(folder) if folder is not None else None
    accelerated = accelerators(run, settings) > 0
    element = element_bytes(plan.recipe, accelerated=accelerated)
    planned_steps = steps(plan.recipe, rows) if rows else None
    found = (
        estimated(plan.recipe, model, element_bytes=element, fused_attention=accelerated) if model else None
    )
    sizes = sizes_of(run, file, plan.recipe, found, planned_steps)
    return Planned(
        name=f"{run.kind} {run.metadata.name}",
        file=file,
        recipe=plan.recipe,
        objects=shown.objects,
        refusals=tuple(str(one) for one in shown.violations),
        estimate=found,
        steps=planned_steps,
        operations=_operations(plan.recipe, model, planned_steps),
        accelerated=accelerated,
        filled=_filled(run, file),
        workspace=workspace(plan.recipe, shown.template, sizes) if sizes else None,
    )


def _operations(
    recipe: Recipe, model: ModelShape | None, planned_steps: tuple[int, int] | None
) -> float | None:
    total = planned_steps[1] if planned_steps else recipe.training.max_steps
    if model is None or total is None or recipe.task in ROLLOUT_TASKS:
        return None
    return operations(recipe, model, total)


def _plan(run: Run, settings: Settings, attempt: int) -> Plan:
    metadata = run.metadata
    if not metadata.uid:
        run = run.model_copy(update={"metadata": metadata.model_copy(update={"uid": UNKNOWN_UID})})
    queued = run.spec.run_policy.queue_name is not None
    start = StartAttempt(attempt=attempt, halve_batch=0, queued=queued)
    return make_plan(with_assumed_models(run), start, settings)


def _rows(run: Run, file: Path) -> int | None:
    """Rows of the training data, where it is on this machine."""
    path = path_here(run.spec.dataset.train, file.parent)
    if path is None or not path.exists():
        return None
    try:
        files, _ = data_files(path)
        return sum(_lines(one) for one in files if is_rows(one)) or None
    except InvalidData:
        # An estimate judges no data: `validate` and training do, with file and line.
        return None


def _filled(run: Run, file: Path) -> float:
    """Which part of maxLength the first training rows fill, at most."""
    path = path_here(run.spec.dataset.train, file.parent)
    if path is None:
        return 1.0
    try:
        first = next((one for one in data_files(path)[0] if is_rows(one)), None)
        if first is None:
            return 1.0
        with first.open("rb") as stream:
            measured = islice(lines(stream, first.name), ROWS_MEASURED)
            sizes = [len(line) for _, line in measured if line.strip()]
    except InvalidData:
        return 1.0
    if not sizes:
        return 1.0
    return min(1.0, max(1.0, sum(sizes) / len(sizes) / BYTES_PER_TOKEN) / run.spec.dataset.max_length)


def _lines(file: Path) -> int:
    with file.open("rb") as stream:
        return sum(1 for _, line in lines(stream, file.name) if line.strip())
