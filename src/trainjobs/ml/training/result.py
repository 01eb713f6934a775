"""What a finished training leaves: model, statistics, evaluation, and the word that all is done."""

import logging
import shutil
from dataclasses import dataclass
from pathlib import Path

from peft import PeftModel
from torch import nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase, TrainerState

from trainjobs.api.status import BestMetric
from trainjobs.core.outputs import DONE, MODEL, STATS, Done
from trainjobs.core.recipe.model import Recipe
from trainjobs.errors import BelowThreshold
from trainjobs.ml.evaluation.thresholds import Judgement
from trainjobs.ml.modeling.adapters import Model, merge
from trainjobs.ml.modeling.cards import Card
from trainjobs.ml.objectives.protocol import Objective
from trainjobs.ml.training.best import load_best
from trainjobs.ml.training.callbacks.history import figures_of
from trainjobs.ml.training.files import write_record
from trainjobs.ml.training.loss_figures import loss_figures
from trainjobs.ml.training.precision import Precision, device_name
from trainjobs.ml.training.provenance import versions
from trainjobs.ml.training.saver import SaveFigures
from trainjobs.ml.training.session import Session
from trainjobs.ml.training.statistics import TrainingStats
from trainjobs.ml.training.steps import Steps

_log = logging.getLogger("trainjobs.training")
ADAPTER = "adapter"
"""Folder of a trained adapter, beside the merged model."""


@dataclass(frozen=True, slots=True)
class Trained:
    """A model as training left it."""

    model: Model
    at_best: bool
    """Whether it holds the best step's weights already, not the last one's."""
    state: TrainerState
    seconds: float
    saved: SaveFigures
    precision: Precision
    resumed_from: int | None


def write_result(
    trained: Trained,
    session: Session,
    objective: Objective,
    tokenizer: PreTrainedTokenizerBase,
    steps: Steps,
) -> None:
    """Write everything that `core.outputs` names, `done.json` last.

    Raises:
        BelowThreshold: a figure that the manifest asks for was missed; everything is written by then.
    """
    recipe, output = session.recipe, session.output
    write_record(output / STATS, training_stats(trained, recipe, objective, steps))
    resumed = Path(session.inputs.resume_from) if session.inputs.resume_from else None
    held = trained.state.best_global_step
    if not trained.at_best:
        held = load_best(trained.model, trained.state, output, resumed)
    model = _save_model(trained.model, output, tokenizer, objective.card)
    _log.info("model of step %d is in %s", held, output / MODEL)
    judgement = objective.judge(model, output)
    write_record(output / DONE, _done(trained.state, recipe, steps, judgement))
    if judgement.missed:
        raise BelowThreshold(judgement.missed)


def training_stats(trained: Trained, recipe: Recipe, objective: Objective, steps: Steps) -> TrainingStats:
    """Put together the figures of a training."""
    state, training, data = trained.state, recipe.training, objective.data
    parameters, trainable = _count(trained.model)
    epochs = state.global_step / steps.per_epoch
    return TrainingStats(
        steps=state.global_step,
        total_steps=steps.total,
        epochs=epochs,
        train_rows=len(data.train),
        eval_rows=0 if data.validation is None else len(data.validation),
        samples=round(epochs * len(data.train)),
        tokens=int(state.num_input_tokens_seen),
        seconds=trained.seconds,
        resumed_from_step=trained.resumed_from,
        **loss_figures(state.log_history, steps, state.global_step),
        best=_best(state, recipe),
        effective_batch_size=recipe.effective_batch_size,
        batch_size_per_device=training.batch_size_per_device or 1,
        gradient_accumulation_steps=training.gradient_accumulation_steps or 1,
        processes=recipe.processes.world_size,
        precision=trained.precision,
        parameters=parameters,
        trainable_parameters=trainable,
        max_length=data.max_length,
        rows_cut=data.cuts.rows_cut,
        tokens_cut=data.cuts.tokens_cut,
        rows_dropped=data.cuts.rows_dropped,
        eval_rows_repeated=data.repeated,
        checkpoints=trained.saved.saved,
        checkpoints_failed=trained.saved.failed,
        blocked_seconds=trained.saved.blocked_seconds,
        device=device_name(),
        versions=versions(),
        **objective.statistics(),
    )


def _save_model(
    model: Model, output: Path, tokenizer: PreTrainedTokenizerBase, card: Card
) -> PreTrainedModel:
    if isinstance(model, PeftModel):
        aside = _fresh(output / f".{ADAPTER}.partial")
        model.save_pretrained(str(aside))
        _finish(aside, output / ADAPTER, tokenizer, card)
    merged = merge(model)
    merged.config.use_cache = True
    aside = _fresh(output / f".{MODEL}.partial")
    merged.save_pretrained(str(aside))
    _finish(aside, output / MODEL, tokenizer, card)
    return merged


def _fresh(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _finish(aside: Path, target: Path, tokenizer: PreTrainedTokenizerBase, card: Card) -> None:
    tokenizer.save_pretrained(str(aside))
    card.save(aside)
    shutil.rmtree(target, ignore_errors=True)
    aside.rename(target)


def _done(state: TrainerState, recipe: Recipe, steps: Steps, judgement: Judgement) -> Done:
    latest: dict[str, float] = {}
    for entry in state.log_history:
        latest |= figures_of(entry)
    return Done(
        step=state.global_step,
        total_steps=steps.total,
        metrics=latest | judgement.metrics,
        missed=judgement.missed,
        best=_best(state, recipe),
    )


def _best(state: TrainerState, recipe: Recipe) -> BestMetric | None:
    if state.best_metric is None or state.best_global_step is None:
        return None
    return BestMetric(
        name=recipe.checkpoints.keep_best.metric, value=state.best_metric, step=state.best_global_step
    )


def _count(model: nn.Module) -> tuple[int, int]:
    sizes = [(p.numel(), p.requires_grad) for p in model.parameters()]
    return sum(n for n, _ in sizes), sum(n for n, trained in sizes if trained)
