"""What training says of itself, made into progress: steps, time left, the latest and the best figures.

The wire format is the one that the Trainer of transformers speaks to Kubeflow's trainer
(`KubeflowCallback`): `{"trainerStatus": {"metrics": [{"name", "value"}], …}}`, values as text. The time
left is computed here: the callback divides the time since a resume by all steps.
"""

import json
import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from pydantic import TypeAdapter, ValidationError

from trainjobs.api.base import FigureName
from trainjobs.api.checkpoints import KeepBest
from trainjobs.api.status import BestMetric, Metrics, Progress
from trainjobs.core.figures.scores import direction_of, is_better
from trainjobs.errors import InvalidData

MOST_METRICS: Final = 50
_NAME: Final = TypeAdapter(FigureName)
_STEP, _TOTAL, _EPOCH, _TOKENS = "current_step", "total_steps", "current_epoch", "tokens_per_second"
_RATE_SAMPLES = 32


@dataclass(frozen=True, slots=True)
class Report:
    """One word from training; None is what it did not say."""

    step: int | None = None
    total_steps: int | None = None
    epoch: float | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)


def parse_report(body: bytes) -> Report:
    """Read one POST of the callback; what is not a finite number is left out.

    Raises:
        InvalidData: it is not of that form.
    """
    try:
        status = json.loads(body)["trainerStatus"]
        pairs = [(str(item["name"]), str(item["value"])) for item in status.get("metrics") or []]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise InvalidData(
            f"progress report: not of the form {{trainerStatus: {{metrics: …}}}} ({error!r})"
        ) from None
    numbers = {name: number for name, text in pairs if (number := _number(text)) is not None}
    return Report(
        step=_count(numbers.pop(_STEP, None)),
        total_steps=_count(numbers.pop(_TOTAL, None)),
        epoch=numbers.pop("epoch", numbers.pop(_EPOCH, None)),
        metrics=named(numbers),
    )


def named(metrics: Mapping[str, float]) -> dict[str, float]:
    """Keep finite figures whose names a status may carry."""
    return {name: value for name, value in metrics.items() if _may_be_carried(name) and math.isfinite(value)}


def _may_be_carried(name: str) -> bool:
    try:
        _NAME.validate_python(name)
    except ValidationError:
        return False
    return True


class ProgressTracker:
    """Follows one training; times are seconds of any one clock, but for `now`, which is the wall's."""

    def __init__(self, best: KeepBest, clock_start: float) -> None:
        self._metric, self._direction = best.metric, direction_of(best)
        self._rate: deque[tuple[float, int]] = deque(maxlen=_RATE_SAMPLES)
        self._metrics: dict[str, float] = {}
        self._best: BestMetric | None = None
        self._step: int | None = None
        self._total = 0
        self._epoch = 0.0
        self._updated: datetime | None = None
        self.last_sign = clock_start
        """When training last showed that it moves."""

    @property
    def step(self) -> int | None:
        """The last step reported, or None before the first."""
        return self._step

    @property
    def total_steps(self) -> int:
        """Steps in all, or 0 while unknown."""
        return self._total

    @property
    def at_end(self) -> bool:
        """Whether every step is done: what follows is evaluation and the report."""
        return self._step is not None and 0 < self._total <= self._step

    def take(self, report: Report, *, at: float, now: datetime) -> None:
        """Add one report; what says nothing new is no sign of life."""
        before = (self._step, self._metrics, self._total)
        if report.step is not None and report.step != self._step:
            if self._step is not None and report.step < self._step:
                self._rate.clear()
            self._step = report.step
            self._rate.append((at, report.step))
        self._total = report.total_steps or self._total
        self._epoch = self._epoch if report.epoch is None else report.epoch
        merged = {**self._metrics, **report.metrics}
        self._metrics = dict(list(merged.items())[-MOST_METRICS:])
        self._note_best(report)
        if before != (self._step, self._metrics, self._total):
            self.last_sign = at
            self._updated = now

    def _note_best(self, report: Report) -> None:
        value = report.metrics.get(self._metric)
        if value is None or self._step is None:
            return
        if is_better(value, self._best.value if self._best else None, self._direction):
            self._best = BestMetric(name=self._metric, value=value, step=self._step)

    def sign(self, at: float) -> None:
        """Note that training moves, though it reported nothing."""
        self.last_sign = at

    def progress(self) -> Progress | None:
        """Return how far training is, or None before it said anything."""
        if self._updated is None:
            return None
        step, total = self._step or 0, self._total
        return Progress(
            step=step,
            total_steps=total,
            epoch=self._epoch,
            percent=min(100, 100 * step // total) if total else 0,
            eta_seconds=self._seconds_left(),
            tokens_per_second=self._metrics.get(_TOKENS),
            updated_time=self._updated.astimezone(UTC),
        )

    def metrics(self) -> Metrics:
        """Return the latest figures and the best."""
        return Metrics(latest=dict(self._metrics), best=self._best)

    def _seconds_left(self) -> int | None:
        if len(self._rate) < 2 or not self._total:
            return 0 if self.at_end else None
        (first_time, first_step), (last_time, last_step) = self._rate[0], self._rate[-1]
        left = max(0, self._total - last_step)
        return math.ceil(left * (last_time - first_time) / (last_step - first_step))


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _count(value: float | None) -> int | None:
    return int(value) if value is not None and value >= 0 else None
