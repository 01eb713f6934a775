"""A run's files → what the rules of diagnosis look at."""

from pydantic import JsonValue

from trainjobs.core.diagnosis import Facts, TimeFacts, TrainingFacts
from trainjobs.errors import Diverged
from trainjobs.ml.evaluation.families.registry import family_of
from trainjobs.ml.evaluation.run_files import RunFiles


def facts_of(files: RunFiles) -> Facts:
    """Everything that the files say of the training."""
    return Facts(
        history=files.history,
        training=_training(files),
        evaluation=family_of(files.result).facts(files, files.result) if files.result else None,
        time=_time(files),
    )


def _training(files: RunFiles) -> TrainingFacts:
    rows = files.result.train_rows if files.result else _whole(files.stats.get("trainRows"))
    diverged = files.failure is not None and files.failure.reason == Diverged.reason
    recipe = files.recipe
    if recipe is None:
        return TrainingFacts(train_rows=rows, diverged=diverged)
    training = recipe.training
    adapter = recipe.adapter
    return TrainingFacts(
        epochs=training.epochs,
        max_steps=training.max_steps,
        learning_rate=training.learning_rate,
        max_grad_norm=training.max_grad_norm,
        precision=training.precision,
        data_workers=training.data_workers,
        adapter_dropout=None if adapter.type == "None" else (adapter.lora.dropout if adapter.lora else 0.05),
        early_stopping=training.early_stopping is not None,
        save_every_steps=recipe.checkpoints.save_every_steps,
        best_metric=recipe.checkpoints.keep_best.metric,
        train_rows=rows,
        loss_scale=family_of(files.result).loss_scale(files, files.result) if files.result else 1.0,
        diverged=diverged,
    )


def _time(files: RunFiles) -> TimeFacts | None:
    seconds = _number(files.stats.get("seconds"))
    if not seconds:
        return None
    return TimeFacts(
        training=seconds,
        data=_number(files.stats.get("dataSeconds")),
        checkpoints=_number(files.stats.get("blockedSeconds")),
    )


def _whole(value: JsonValue) -> int | None:
    return int(value) if isinstance(value, int) else None


def _number(value: JsonValue) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
