"""The library's trainer, held to what every training here promises.

Same order of rows after a resume; a loss that means the same whatever the number of processes
and the accumulation; an end at the first loss or gradient that is not finite; checkpoints taken
by our saver; validation that leaves the random numbers of training alone.
"""

import math
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset, Sampler
from transformers import PrinterCallback, Trainer, TrainerState
from transformers.integrations.integration_utils import KubeflowCallback

from trainjobs.api.topology import Strategy
from trainjobs.errors import Diverged
from trainjobs.ml.data.order import Order
from trainjobs.ml.training.checkpoints import Checkpoints
from trainjobs.ml.training.control import StopAsked
from trainjobs.ml.training.steps import Steps
from trainjobs.ml.training.strategy import check_sharded


class EpochSampler(Sampler[int]):
    """Visits rows in the order of the epoch it was last told."""

    def __init__(self, rows: int, order: Callable[[int], Order]) -> None:
        self._rows = rows
        self._order = order
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch, from 0."""
        self._epoch = epoch

    def __len__(self) -> int:
        """Return the number of rows."""
        return self._rows

    def __iter__(self) -> Iterator[int]:
        """Yield indices of rows."""
        return iter(self._order(self._epoch).tolist())


class RunTrainer(Trainer):
    """Base of this project's trainers."""

    def __init__(
        self,
        *,
        sampler: EpochSampler,
        checkpoints: Checkpoints,
        strategy: Strategy,
        steps: Steps,
        **options: Any,
    ) -> None:
        """`options`: the library's own."""
        super().__init__(**options)
        # With it the library multiplies losses that it does not know by accumulation and processes.
        self.model_accepts_loss_kwargs = False
        self.remove_callback(PrinterCallback)
        self.remove_callback(KubeflowCallback)
        self._sampler = sampler
        self._checkpoints = checkpoints
        self._strategy = strategy
        self._steps = steps
        self._step_loss: Tensor | None = None
        self._tokens = 0
        self._rows = 0
        self._logged_at = time.monotonic()

    # The beginning.

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

    # The order of rows.

    def _get_train_sampler(self, train_dataset: Dataset[Any] | None = None) -> Sampler[int]:
        return self._sampler

    def _run_epoch(self, *, epoch: int, **options: Any) -> None:  # type: ignore[override]
        # The library does not reach the sampler through the loader that skips rows after a resume.
        self._sampler.set_epoch(epoch)
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

    def training_step(
        self, model: nn.Module, inputs: dict[str, Any], num_items_in_batch: Any = None
    ) -> Tensor:
        """Train on one batch and note its size and loss."""
        self._count(inputs)
        loss = super().training_step(model, inputs, num_items_in_batch)
        self._step_loss = loss if self._step_loss is None else self._step_loss + loss
        return loss

    def _get_grad_norm(self, model: nn.Module, grad_norm: Any = None) -> Any:
        norm = super()._get_grad_norm(model, grad_norm=grad_norm)  # type: ignore[no-untyped-call]
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

    def _count(self, inputs: dict[str, Any]) -> None:
        # Counted where the collator left the batch: no device has to be waited for.
        self._tokens += inputs.pop("tokens")
        self._rows += len(inputs["labels"])

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Log, with the speed since the last line of training figures."""
        if "loss" in logs:
            now = time.monotonic()
            seconds = max(now - self._logged_at, 1e-9)
            processes = self.args.world_size
            logs["tokens_per_second"] = self._tokens * processes / seconds
            logs["samples_per_second"] = self._rows * processes / seconds
            self.state.num_input_tokens_seen += self._tokens * processes
            self._tokens = self._rows = 0
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
