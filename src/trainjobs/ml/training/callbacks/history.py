"""`metrics.jsonl`: every log line as a record."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from trainjobs.core.metrics_history import MetricRecord
from trainjobs.core.outputs import METRICS

_NOT_METRICS = (
    "train_runtime",
    "train_samples_per_second",
    "train_steps_per_second",
    "train_loss",
    "total_flos",
    "eval_runtime",
    "eval_samples_per_second",
    "eval_steps_per_second",
    "eval_model_preparation_time",
    "epoch",
    "step",
)


def figures_of(logs: dict[str, Any]) -> dict[str, float]:
    """Return what of a log line is a figure of the training, not of the library's own clock."""
    return {
        name: float(value)
        for name, value in logs.items()
        if name not in _NOT_METRICS and isinstance(value, int | float)
    }


class History(TrainerCallback):
    """Appends to `metrics.jsonl`; used on rank 0 only."""

    def __init__(self, output: Path, attempt: int) -> None:
        self._path = output / METRICS
        self._attempt = attempt
        self._resumed_from: int | None = None

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self._cut_after(state.global_step)
        self._resumed_from = state.global_step or None

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        figures = figures_of(logs or {})
        if not figures:
            return
        record = MetricRecord(
            step=state.global_step,
            epoch=state.epoch or 0.0,
            time=datetime.now(UTC),
            attempt=self._attempt,
            metrics=figures,
            resumed_from=self._resumed_from,
        )
        self._resumed_from = None
        with self._path.open("a", encoding="utf-8") as stream:
            stream.write(record.model_dump_json(by_alias=True, exclude_none=True) + "\n")

    def _cut_after(self, step: int) -> None:
        """Forget what an earlier attempt measured after the step that training goes on from."""
        if not self._path.is_file():
            return
        kept = []
        for line in self._path.read_text(encoding="utf-8").splitlines():
            try:
                record = MetricRecord.from_json(line)
            except ValueError:
                # The last line of a killed process may be half a line.
                continue
            if record.step <= step:
                kept.append(line + "\n")
        aside = self._path.with_name(f".{self._path.name}.{os.getpid()}.tmp")
        aside.write_text("".join(kept), encoding="utf-8")
        aside.replace(self._path)
