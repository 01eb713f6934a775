"""`training.log`: a line for every log step and validation, and one for every epoch that grep finds."""

import logging
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from trainjobs.core.outputs import LOG
from trainjobs.ml.training.callbacks.history import figures_of
from trainjobs.ml.training.steps import Steps

_log = logging.getLogger("trainjobs.training")
Entry = Mapping[str, Any]


class LogLines(TrainerCallback):
    """Writes through `logging`; used on rank 0 only."""

    def __init__(self, steps: Steps, output: Path) -> None:
        self._steps = steps
        self._path = output / LOG

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self.make_up(state)

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        figures = figures_of(logs or {})
        if figures:
            where = f"step={state.global_step}/{self._steps.total} epoch={state.epoch or 0.0:.2f}"
            _log.info("%s %s", where, shown(figures))

    def on_epoch_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        epoch = self._steps.epoch_done(state.global_step)
        if epoch is not None:
            _log.info("%s", epoch_line(epoch, state.log_history, self._steps))

    def make_up(self, state: TrainerState) -> None:
        """Write the line of the epoch that ended with the step that training goes on from, if nobody has.

        An epoch's last checkpoint is taken before its line is written.
        """
        epoch = self._steps.epoch_done(state.global_step)
        if epoch and not self._told(epoch):
            _log.info("%s", epoch_line(epoch, state.log_history, self._steps))

    def _told(self, epoch: int) -> bool:
        log = self._path.read_text(encoding="utf-8", errors="replace") if self._path.is_file() else ""
        return re.search(rf" epoch={epoch}(\s|$)", log) is not None


def shown(figures: Mapping[str, float]) -> str:
    """Return `name=value` pairs."""
    return " ".join(f"{name}={value:.6g}" for name, value in figures.items())


def epoch_line(epoch: int, history: Sequence[Entry], steps: Steps) -> str:
    """Return `epoch=1 train_loss=… val_loss=… val_…=…`, as far as the figures are there."""
    last = epoch * steps.per_epoch
    parts = [f"epoch={epoch}"]
    loss = mean_loss(history, last - steps.per_epoch, last)
    if loss is not None:
        parts.append(f"train_loss={loss:.6g}")
    measured = [entry for entry in history if "eval_loss" in entry and entry["step"] <= last]
    if measured:
        figures = figures_of(dict(measured[-1]))
        parts += [f"val_{name.removeprefix('eval_')}={value:.6g}" for name, value in figures.items()]
    return " ".join(parts)


def mean_loss(history: Sequence[Entry], after: int, until: int) -> float | None:
    """Return the mean loss of the steps `after` < step ≤ `until`, or None where none was logged.

    Each entry of the history holds the mean of the steps since the entry before it.
    """
    total, count, before = 0.0, 0, 0
    for entry in history:
        if "loss" not in entry:
            continue
        step = int(entry["step"])
        if after < step <= until:
            weight = step - max(before, after)
            total += float(entry["loss"]) * weight
            count += weight
        before = step
    return total / count if count else None
