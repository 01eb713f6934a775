"""The library's trainer, held to what every training here promises.

Same order of rows after a resume; a loss that means the same whatever the number of processes
and the accumulation; an end at the first loss or gradient that is not finite; checkpoints taken
by our saver; validation that leaves the random numbers of training alone.
"""

import math
import random
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor
from torch.utils.data import DataLoader
from transformers import PrinterCallback, Trainer, TrainerState
from transformers.integrations.integration_utils import KubeflowCallback
from transformers.trainer_utils import EvalLoopOutput

from trainjobs.api.topology import Strategy
from trainjobs.errors import Diverged
from trainjobs.ml.data.order import Order
from trainjobs.ml.objectives.batch import Batch
from trainjobs.ml.objectives.learner import Learner
from trainjobs.ml.training.arguments import arguments_blamed
from trainjobs.ml.training.batches import StepBatches, load_batches
from trainjobs.ml.training.checkpoints import Checkpoints
from trainjobs.ml.training.control import StopAsked
from trainjobs.ml.training.processes import Processes
from trainjobs.ml.training.steps import Steps
from trainjobs.ml.training.strategy import check_sharded
from trainjobs.ml.training.validation import Measured, measure


class RunTrainer(Trainer):
    """Trains what a learner learns; one process's part of it."""

    # The loss is divided by the items of the whole step already.
    loss_is_scaled_for_ga = True

    def __init__(
        self,
        *,
        learner: Learner,
        order: Callable[[int], Order],
        processes: Processes,
        checkpoints: Checkpoints,
        strategy: Strategy,
        steps: Steps,
        **options: Any,
    ) -> None:
        """`order`: the order of the training rows in an epoch; `options`: the library's own."""
        with arguments_blamed():
            super().__init__(**options)
        self.remove_callback(PrinterCallback)
        self.remove_callback(KubeflowCallback)
        self._learner = learner
        self._processes = processes
        self._batches = self._dealt(self.train_dataset, order, self.args.per_device_train_batch_size)
        self._checkpoints = checkpoints
        self._strategy = strategy
        self._steps = steps
        self._step_loss: Tensor | None = None
        self._tokens = 0.0
        self._rows = 0.0
        self._logged_at = time.monotonic()

    # The beginning.

    def create_optimizer(self, *args: Any, **options: Any) -> Any:
        """Create the optimizer. InvalidRecipe says what the library does not take."""
        with arguments_blamed():
            return super().create_optimizer(*args, **options)

    def create_scheduler(self, *args: Any, **options: Any) -> Any:
        """Create the schedule. InvalidRecipe says what the library does not take."""
        with arguments_blamed():
            return super().create_scheduler(*args, **options)

    def _prepare_for_training(self, *args: Any, **options: Any) -> Any:
        prepared = super()._prepare_for_training(*args, **options)  # type: ignore[no-untyped-call]
        check_sharded(self._strategy, prepared[0])
        self._logged_at = time.monotonic()
        return prepared

    def take_up(self, checkpoint: str, *, weights: bool) -> None:
        """Take the state, and the weights if asked, of a checkpoint after which nothing is left to train."""
        if weights:
            self._load_from_checkpoint(checkpoint)
        self.state = TrainerState.load_from_json(str(Path(checkpoint) / "trainer_state.json"))

    # Rows.

    def get_train_dataloader(self) -> DataLoader[Batch]:
        """Return the training rows of this process in batches."""
        return self._loader(self.train_dataset, self._batches)

    def get_eval_dataloader(self, eval_dataset: Any = None) -> DataLoader[Batch]:
        """Return the validation rows of this process in batches; they stand by length already."""
        rows: Any = eval_dataset if eval_dataset is not None else self.eval_dataset
        order = np.arange(len(rows))
        return self._loader(rows, self._dealt(rows, lambda _: order, self.args.eval_batch_size))

    def _dealt(self, rows: Any, order: Callable[[int], Order], batch: int) -> StepBatches:
        processes, rank = self.args.world_size, self.args.process_index
        return StepBatches(len(rows), order, batch=batch, processes=processes, rank=rank)

    def _loader(self, rows: Any, batches: StepBatches) -> DataLoader[Batch]:
        return load_batches(
            rows,
            self._learner.collate,
            batches,
            num_workers=self.args.dataloader_num_workers,
            pin_memory=self.args.dataloader_pin_memory,
            persistent_workers=self.args.dataloader_persistent_workers,
            prefetch_factor=self.args.dataloader_prefetch_factor,
            multiprocessing_context=self.args.dataloader_multiprocessing_context,
            in_order=self.args.dataloader_in_order,
        )

    def _prepare_inputs(self, inputs: Batch) -> Batch:  # type: ignore[override]
        # With DeepSpeed the library would round what a model should put out to half precision.
        return inputs.to(self.args.device)

    def floating_point_ops(self, inputs: Batch) -> int:  # type: ignore[override]
        """Return the library's estimate for a batch."""
        return int(super().floating_point_ops(dict(inputs.inputs)))

    def _run_epoch(self, *, epoch: int, **options: Any) -> None:  # type: ignore[override]
        # The library does not reach the sampler through the loader that skips rows after a resume.
        self._batches.set_epoch(epoch)
        self._validate_what_is_owed()
        super()._run_epoch(epoch=epoch, **options)  # type: ignore[no-untyped-call]

    def _validate_what_is_owed(self) -> None:
        """Validate the step that training goes on from, if it was stopped before that could be done."""
        state = self.state
        done = any(e["step"] == state.global_step and "eval_loss" in e for e in state.log_history)
        due = state.global_step > 0 and self._steps.eval_due(state.global_step)
        if due and not done and self.eval_dataset is not None:
            self._determine_best_metric(self._evaluate(None, None), None)

    # Steps.

    def _get_num_items_in_batch(self, batch_samples: list[Batch], device: torch.device) -> Any:
        """Return for each term the items of a whole step, on all processes, and note rows and tokens."""
        sizes = [(*batch.items, batch.tokens, len(batch.rows)) for batch in batch_samples]
        *items, tokens, rows = self._processes.sums([sum(column) for column in zip(*sizes, strict=True)])
        self._tokens += tokens
        self._rows += rows
        return items

    def training_step(self, model: nn.Module, inputs: Any, num_items_in_batch: Any = None) -> Tensor:
        """Train on one batch and note its loss."""
        loss = super().training_step(model, inputs, num_items_in_batch)
        self._step_loss = loss if self._step_loss is None else self._step_loss + loss
        return loss

    def compute_loss(
        self,
        model: nn.Module,
        inputs: Any,
        return_outputs: bool = False,  # noqa: FBT001, FBT002
        num_items_in_batch: Any = None,
    ) -> Any:
        """Return what a batch adds to the loss of its step, times the processes.

        DDP, FSDP and DeepSpeed average gradients over the processes, and the library the loss it logs:
        the mean of what is returned here is the step's whole loss over its whole items.
        """
        sums = self._learner.losses(model, inputs).sums
        parts = zip(self._learner.terms.values(), num_items_in_batch, strict=True)
        factors = [self.args.world_size * weight / items if items else 0.0 for weight, items in parts]
        counts = float(inputs.counts)
        return sum(counts * factor * part for factor, part in zip(factors, sums.unbind(), strict=True))

    def _get_grad_norm(self, model: nn.Module, grad_norm: Any = None) -> Any:
        norm = super()._get_grad_norm(model, grad_norm=grad_norm)  # type: ignore[no-untyped-call]
        if isinstance(norm, DTensor):
            norm = norm.full_tensor()
        loss, self._step_loss = self._step_loss, None
        # A gradient scaler skips steps with infinite gradients on purpose.
        norm_counts = self.accelerator.scaler is None
        self._check_finite(loss, norm if norm_counts else None)
        return norm

    def _check_finite(self, loss: Tensor | None, norm: Any) -> None:
        values = {"loss": loss, "gradient norm": norm}
        for name, value in values.items():
            if value is not None and not math.isfinite(float(value)):
                raise Diverged(
                    f"{name} is {float(value)} at step {self.state.global_step + 1}:"
                    " lower spec.training.learningRate, look at the rows, or use BF16 instead of FP16;"
                    " the checkpoints before it are kept"
                )

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Log, with the speed since the last line of training figures."""
        if "loss" in logs:
            now = time.monotonic()
            seconds = max(now - self._logged_at, 1e-9)
            logs["tokens_per_second"] = self._tokens / seconds
            logs["samples_per_second"] = self._rows / seconds
            self.state.num_input_tokens_seen += int(self._tokens)
            self._tokens = self._rows = 0.0
            self._logged_at = now
        super().log(logs, start_time)

    # Checkpoints and validation.

    def _save_checkpoint(self, model: nn.Module, trial: Any) -> None:
        self._checkpoints.save(self)

    def _evaluate(self, *args: Any, **options: Any) -> dict[str, float]:
        with _random_numbers_kept():
            try:
                metrics: dict[str, float] = super()._evaluate(*args, **options)
            except StopAsked:
                # There may be only seconds: save now, and validate when training goes on.
                self.control.should_save = True
                self.control.should_training_stop = True
                return {}
        return metrics

    def evaluation_loop(
        self, dataloader: DataLoader[Batch], *args: Any, metric_key_prefix: str = "eval", **options: Any
    ) -> EvalLoopOutput:
        """Validate: loss and figures of all rows, the same on every process."""
        assert isinstance(self.model, nn.Module)
        self.model.eval()
        # Some optimisers keep other weights to measure than to train.
        if callable(getattr(self.optimizer, "eval", None)):
            self.optimizer.eval()  # type: ignore[union-attr]
        measured = measure(
            self._learner, self.model, self._watched(dataloader), self.args.device, self._processes
        )
        self._check_predictions(measured)
        figures = {"loss": measured.loss, **self._learner.figures(measured.outputs)}
        metrics = {f"{metric_key_prefix}_{name}": value for name, value in figures.items()}
        return EvalLoopOutput(
            predictions=np.empty(0), label_ids=None, metrics=metrics, num_samples=measured.rows
        )

    def _watched(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        for batch in batches:
            yield batch
            self.control = self.callback_handler.on_prediction_step(self.args, self.state, self.control)

    def _check_predictions(self, measured: Measured) -> None:
        if not all(np.isfinite(values).all() for values in measured.outputs.values()):
            raise Diverged(
                f"validation at step {self.state.global_step} gave predictions that are not finite:"
                " lower spec.training.learningRate, or look at the rows"
            )

    def _determine_best_metric(self, metrics: dict[str, float], trial: Any) -> bool:
        """Note the best step; it gets a checkpoint of its own."""
        value = metrics.get(str(self.args.metric_for_best_model))
        best = self.state.best_metric
        if value is None:
            return False
        better = best is None or (value > best if self.args.greater_is_better else value < best)
        if better:
            self.state.best_metric = value
            self.state.best_global_step = self.state.global_step
            self.control.should_save = True
        return better


@contextmanager
def _random_numbers_kept() -> Iterator[None]:
    """Leave all generators as they were, so that validating changes nothing about training."""
    python, numpy = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(enabled=True):
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy)
