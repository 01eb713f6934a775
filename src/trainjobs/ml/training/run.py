"""A whole training: data, model, training, result."""

import logging
import os
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import NoReturn

from transformers import TrainerCallback, set_seed

from trainjobs.api.topology import FSDP
from trainjobs.core.outputs import ENVIRONMENT
from trainjobs.core.recipe.model import Recipe
from trainjobs.errors import DiskFull, InvalidData, Preempted
from trainjobs.ml.data.before import DataBefore
from trainjobs.ml.data.order import Order, grouped_by_length, shuffled
from trainjobs.ml.data.sides import Sides
from trainjobs.ml.modeling.adapters import Model
from trainjobs.ml.modeling.base import LoadOptions
from trainjobs.ml.modeling.tokenizer import load_config, load_tokenizer
from trainjobs.ml.objectives.protocol import Job, Objective
from trainjobs.ml.objectives.registry import objective_of
from trainjobs.ml.training import trackers
from trainjobs.ml.training.arguments import training_arguments
from trainjobs.ml.training.best import take_best_shards
from trainjobs.ml.training.callbacks.cadence import Cadence
from trainjobs.ml.training.callbacks.early_stopping import EarlyStopping
from trainjobs.ml.training.callbacks.history import History
from trainjobs.ml.training.callbacks.log_lines import LogLines
from trainjobs.ml.training.callbacks.progress import Progress, ProgressSender
from trainjobs.ml.training.checkpoints import Checkpoints, checkpoints_of
from trainjobs.ml.training.constants import write_constants
from trainjobs.ml.training.control import Control
from trainjobs.ml.training.files import write_json
from trainjobs.ml.training.fsdp import loaded_once_a_node, shard
from trainjobs.ml.training.fsdp_trainer import FsdpTrainer
from trainjobs.ml.training.gathering import gather_weights, saved_model, whole_model
from trainjobs.ml.training.precision import Precision, base_dtype, resolve_precision
from trainjobs.ml.training.processes import Processes
from trainjobs.ml.training.provenance import environment
from trainjobs.ml.training.result import Trained, write_result
from trainjobs.ml.training.resuming import forget_after, read_state
from trainjobs.ml.training.saver import SaveFigures
from trainjobs.ml.training.session import Session
from trainjobs.ml.training.steps import Steps, plan_steps
from trainjobs.ml.training.strategy import shards_weights
from trainjobs.ml.training.trainer import RunTrainer

_log = logging.getLogger("trainjobs.training")


def train(session: Session) -> None:
    """Train what the recipe says and leave the result in the output folder.

    Raises errors of `trainjobs.errors`; Preempted when it was asked to stop, and saved before it did.
    """
    run = TrainerRun(session)
    trained = run.train()
    if session.leads:
        write_result(trained, session, run.objective, run.tokenizer, run.steps)


class TrainerRun:
    """One process's part of a training, prepared to start."""

    def __init__(self, session: Session) -> None:
        """Read and check everything that the recipe names. InvalidRecipe, InvalidData, ModelNotFound."""
        recipe, inputs = session.recipe, session.inputs
        self._session = session
        self._resumed = read_state(Path(inputs.resume_from), recipe) if inputs.resume_from else None
        trust = recipe.model.trust_remote_code
        self.tokenizer = load_tokenizer(Path(inputs.tokenizer), trust_remote_code=trust)
        config = load_config(Path(inputs.model), trust_remote_code=trust)
        job = Job(recipe, inputs, self.tokenizer, config, self._before())
        self.objective: Objective = objective_of(recipe.task).read(job)
        self.steps = plan_steps(recipe, len(self.data.train))
        self._precision = resolve_precision(recipe.training.precision)
        os.environ.update(trackers.environment(session.output))
        self._arguments = training_arguments(recipe, self.steps, self._precision)
        if session.leads:
            write_json(
                session.output / ENVIRONMENT, environment(self.data.record.files, recipe.training.seed)
            )
            forget_after(session.output, self._resumed.global_step if self._resumed else 0)
        _say_plan(recipe, self.data, self.steps, self._precision)

    @property
    def data(self) -> Sides:
        """What is learned from."""
        return self.objective.data

    def train(self, *watching: TrainerCallback) -> Trained:
        """Train from the start, or from where the recipe says, to the end; `watching` are called last."""
        recipe = self._session.recipe
        processes = Processes()
        _check_alike(processes.gathered(self.data.record.files))
        control = Control(self._session.output, processes, recipe.checkpoints.save_every_seconds)
        cadence = Cadence(self.steps, control, validates=self.data.validation is not None)
        stopping = recipe.training.early_stopping
        patience = EarlyStopping(stopping, recipe.checkpoints.keep_best) if stopping else None
        callbacks = [cadence, *([patience] if patience else []), *watching]
        trainer, checkpoints = self._trainer(callbacks, processes)
        started = time.monotonic()
        over = self._nothing_left(patience)
        with control.listening(), checkpoints, self._tracked():
            if over:
                _log.info("all %d steps are done already: nothing is left but the result", self.steps.total)
                trainer.take_up(str(self._session.inputs.resume_from), weights=not self._sharded)
                if self._session.leads:
                    LogLines(self.steps, self._session.output).make_up(trainer.state)
            else:
                trainer.train(resume_from_checkpoint=self._session.inputs.resume_from)
        if cadence.stopped:
            self._stopped(trainer.state.global_step, checkpoints.figures)
        at_best = not over and self._take_best(trainer)
        return Trained(
            model=self._whole(trainer, trained=not over),
            at_best=at_best,
            state=trainer.state,
            seconds=time.monotonic() - started,
            saved=checkpoints.figures,
            precision=self._precision,
            resumed_from=self._resumed.global_step if self._resumed else None,
        )

    def _before(self) -> DataBefore | None:
        if self._resumed is None:
            return None
        checkpoint = Path(str(self._session.inputs.resume_from))
        return DataBefore.of(checkpoint, self._resumed.global_step, self._session.recipe)

    def _tracked(self) -> AbstractContextManager[None]:
        return trackers.tracked(self._session.recipe, self._session.output, leads=self._session.leads)

    @property
    def _sharded(self) -> bool:
        return shards_weights(self._session.recipe.processes.strategy)

    def _take_best(self, trainer: RunTrainer) -> bool:
        """Have each process take its part of the best checkpoint where it is dealt out; say whether."""
        if self._session.recipe.processes.strategy.type != "FSDP":
            return False
        return take_best_shards(trainer, self._session.output)

    def _whole(self, trainer: RunTrainer, *, trained: bool) -> Model:
        """Return the model with all its weights, on the leading process. Every process has to call it."""
        held: Model = trainer.accelerator.unwrap_model(trainer.model)
        if not self._sharded:
            return held
        weights = gather_weights(trainer) if trained else {}
        if not self._session.leads:
            return held
        if trained:
            return whole_model(self._build, weights)
        return saved_model(self._build, Path(str(self._session.inputs.resume_from)))

    def _trainer(
        self, callbacks: list[TrainerCallback], processes: Processes
    ) -> tuple[RunTrainer, Checkpoints]:
        recipe, session = self._session.recipe, self._session
        set_seed(recipe.training.seed)
        strategy = recipe.processes.strategy
        with loaded_once_a_node() if strategy.type == "FSDP" else nullcontext():
            model = self._build()
        constants = write_constants(session, model, self.tokenizer, self.objective)
        checkpoints = checkpoints_of(strategy, session.output, constants)
        if strategy.type == "FSDP":
            shard(model, strategy.fsdp or FSDP(), self._precision)
        kind = FsdpTrainer if strategy.type == "FSDP" else RunTrainer
        trainer = kind(
            learner=self.objective.learner(model, multiple=1 if self._precision == "FP32" else 8),
            order=self._order(),
            processes=processes,
            checkpoints=checkpoints,
            strategy=strategy,
            steps=self.steps,
            model=model,
            args=self._arguments,
            train_dataset=self.data.train,
            eval_dataset=self.data.validation,
            callbacks=[*callbacks, *self._reporting()],
        )
        return trainer, checkpoints

    def _build(self) -> Model:
        recipe = self._session.recipe
        load = LoadOptions(
            dtype=base_dtype(self._precision, recipe.adapter.type),
            quantization="NF4" if recipe.adapter.type == "QLoRA" else "None",
            trust_remote_code=recipe.model.trust_remote_code,
        )
        return self.objective.build(load)

    def _order(self) -> Callable[[int], Order]:
        recipe, lengths = self._session.recipe, self.data.train.lengths
        seed, batch = recipe.training.seed, recipe.effective_batch_size
        if recipe.training.length_grouping:
            return lambda epoch: grouped_by_length(lengths, batch, seed=seed, epoch=epoch)
        return lambda epoch: shuffled(len(lengths), seed=seed, epoch=epoch)

    def _reporting(self) -> list[TrainerCallback]:
        if not self._session.leads:
            return []
        sender = ProgressSender.from_environment()
        progress = [Progress(sender)] if sender is not None else []
        output = self._session.output
        return [History(output, self._session.attempt), LogLines(self.steps, output), *progress]

    def _stopped(self, step: int, figures: SaveFigures) -> NoReturn:
        if step in figures.failed:
            raise DiskFull(
                f"asked to stop at step {step}, which could not be saved: {figures.failed[step]};"
                f" saved before: {max(figures.saved, default='nothing')}"
            )
        raise Preempted(f"asked to stop: saved at step {step} of {self.steps.total}; run it again to go on")

    def _nothing_left(self, patience: EarlyStopping | None) -> bool:
        # The library would train one more step.
        if self._resumed is None:
            return False
        over = patience is not None and patience.is_over(self._resumed)
        return over or self._resumed.global_step >= self.steps.total


def _check_alike(files: list[dict[str, str]]) -> None:
    """InvalidData when processes have read different data: the rows that they share would not be the same."""
    for rank, read in enumerate(files):
        other = [name for name in sorted({*files[0], *read}) if files[0].get(name) != read.get(name)]
        if other:
            side, file = other[0].split("/", 1)
            raise InvalidData(
                f"spec.dataset.{side}: {file} is not the same for process {rank} as for process 0:"
                " give every node the same files"
            )


def _say_plan(recipe: Recipe, data: Sides, steps: Steps, precision: Precision) -> None:
    training, processes = recipe.training, recipe.processes
    _log.info(
        "rows: %d to learn from, %d to validate on; longest text %d tokens",
        len(data.train),
        0 if data.validation is None else len(data.validation),
        data.max_length,
    )
    if data.cuts.rows_cut or data.cuts.rows_dropped:
        _log.warning(
            "%d rows are longer than %d tokens: %d tokens cut; %d rows left out",
            data.cuts.rows_cut,
            data.max_length,
            data.cuts.tokens_cut,
            data.cuts.rows_dropped,
        )
    if data.repeated:
        _log.warning("%d validation rows have a text that is learned from, too", data.repeated)
    _log.info(
        "effective batch %d = %d per device x %d accumulated x %d processes; %d steps, %d an epoch; %s",
        recipe.effective_batch_size,
        training.batch_size_per_device or 1,
        training.gradient_accumulation_steps or 1,
        processes.world_size,
        steps.total,
        steps.per_epoch,
        precision,
    )
