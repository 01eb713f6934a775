"""A recipe's training section in the words of the library's trainer."""

import math
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import torch
from transformers import SchedulerType, TrainingArguments
from transformers.optimization import TYPE_TO_SCHEDULER_FUNCTION

from trainjobs.core.figures.scores import direction_of
from trainjobs.core.recipe.extra_arguments import EXTRA, fitted
from trainjobs.core.recipe.model import Recipe
from trainjobs.errors import InvalidRecipe, RendezvousFailed
from trainjobs.ml.training.library import LIBRARY, declared_arguments, declared_options
from trainjobs.ml.training.precision import Precision
from trainjobs.ml.training.steps import Steps
from trainjobs.ml.training.strategy import sharding_arguments
from trainjobs.ml.training.trackers import report_to

_SCHEDULES: Final = {
    "Linear": "linear",
    "Cosine": "cosine",
    "Constant": "constant",
    "ConstantWithWarmup": "constant_with_warmup",
}
_GIVEN: Final = {"optimizer", "num_warmup_steps", "num_training_steps", "last_epoch"}
"""What the library itself gives a schedule."""


def training_arguments(recipe: Recipe, steps: Steps, precision: Precision) -> TrainingArguments:
    """Return the trainer's arguments. InvalidRecipe names an argument that the library does not take."""
    extra = fitted(recipe.training.extra_arguments, declared_arguments(), LIBRARY)
    values = {**_arguments(recipe, steps, precision), **extra}
    try:
        arguments = TrainingArguments(**values)
    except (TypeError, ValueError, ImportError) as error:
        named = (name for name, value in extra.items() if name in str(error) or f"{value} " in str(error))
        where = next((f"{EXTRA}.{name}" for name in named), None)
        if where is None and recipe.processes.strategy.type != "DDP":
            where = "spec.topology.strategy"
        raise InvalidRecipe(f"{where or 'spec.training'}: {first_line(error)}") from error
    if isinstance(arguments.lr_scheduler_kwargs, dict):
        arguments.lr_scheduler_kwargs = _schedule_options(arguments.lr_scheduler_kwargs, arguments)
    if arguments.world_size != recipe.processes.world_size:
        raise RendezvousFailed(
            f"the library sees {arguments.world_size} processes, but the recipe is for"
            f" {recipe.processes.world_size}: each would train alone"
        )
    return arguments


@contextmanager
def arguments_blamed() -> Iterator[None]:
    """Turn what the library says of its arguments when it first uses them into InvalidRecipe."""
    try:
        yield
    except (TypeError, ValueError, ImportError, AttributeError, KeyError) as error:
        raise InvalidRecipe(f"{EXTRA}: {type(error).__name__}: {first_line(error)}") from error


def first_line(error: Exception) -> str:
    """Return the first line of what an error says."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _schedule_options(given: dict[str, Any], arguments: TrainingArguments) -> dict[str, Any]:
    kind = SchedulerType(arguments.lr_scheduler_type)
    function: Callable[..., Any] = TYPE_TO_SCHEDULER_FUNCTION[kind]  # type: ignore[assignment]
    known = declared_options(function, given=_GIVEN)
    return dict(fitted(given, known, f"the schedule {kind.value}", f"{EXTRA}.lr_scheduler_kwargs"))


def _arguments(recipe: Recipe, steps: Steps, precision: Precision) -> dict[str, Any]:
    training = recipe.training
    batch = training.batch_size_per_device or 1
    return {
        # Nothing of ours is written there; a tracker may.
        "output_dir": recipe.inputs.output if recipe.inputs else tempfile.gettempdir(),
        "max_steps": steps.total,
        "per_device_train_batch_size": batch,
        "per_device_eval_batch_size": training.eval_batch_size_per_device or 2 * batch,
        "gradient_accumulation_steps": training.gradient_accumulation_steps or 1,
        "learning_rate": training.learning_rate,
        "lr_scheduler_type": _SCHEDULES[training.schedule],
        "warmup_steps": math.ceil(training.warmup_ratio * steps.total),
        "weight_decay": training.weight_decay,
        "max_grad_norm": training.max_grad_norm,
        "bf16": precision == "BF16",
        "fp16": precision == "FP16",
        "activation_checkpointing": bool(training.gradient_checkpointing),
        "activation_checkpointing_kwargs": {"use_reentrant": False},
        "torch_compile": bool(training.compile),
        "dataloader_num_workers": training.data_workers,
        "dataloader_pin_memory": torch.cuda.is_available(),
        # Without it the library lets every process on a machine without accelerators train alone.
        "use_cpu": not torch.cuda.is_available(),
        "seed": training.seed,
        "logging_strategy": "no",
        "eval_strategy": "no",
        "save_strategy": "no",
        "logging_nan_inf_filter": False,
        "metric_for_best_model": recipe.checkpoints.keep_best.metric,
        "greater_is_better": direction_of(recipe.checkpoints.keep_best) == "Higher",
        "remove_unused_columns": False,
        "report_to": report_to(recipe),
        "run_name": recipe.run.name,
        "disable_tqdm": True,
        "log_level": "warning",
        "ddp_find_unused_parameters": False,
        **sharding_arguments(recipe.processes.strategy),
    }
