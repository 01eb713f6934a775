"""Reading curves: series of a metric, their level at the end, and whether they still move."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import fsum
from typing import Final, Self

from trainjobs.api import figures
from trainjobs.core.metrics_history import MetricRecord

LOSS: Final = figures.LOSS.name
EVAL_LOSS: Final = f"{figures.VALIDATION}{LOSS}"
SCORES_OF_GOODNESS: Final = tuple(f"{figures.VALIDATION}{name}" for name in figures.names("Higher"))
"""Validation figures that say how good a model is; the first one present counts."""
ENDING: Final = 0.2
"""The end of a training curve is its last fifth."""
FEWEST_POINTS: Final = 5
"""Fewer points than this show no direction."""
FALLING: Final = 0.02
"""A loss whose second half, as a straight line, falls by this part of its level is still falling."""


@dataclass(frozen=True, slots=True)
class Curve:
    """One metric over the steps of the training."""

    steps: tuple[int, ...]
    epochs: tuple[float, ...]
    values: tuple[float, ...]

    @classmethod
    def of(cls, history: Sequence[MetricRecord], name: str) -> Self:
        """The metric `name` by step; where attempts overlap, the newest attempt counts."""
        points: dict[int, MetricRecord] = {}
        for record in history:
            known = points.get(record.step)
            if name in record.metrics and (known is None or record.attempt >= known.attempt):
                points[record.step] = record
        ordered = [points[step] for step in sorted(points)]
        return cls(
            tuple(record.step for record in ordered),
            tuple(record.epoch for record in ordered),
            tuple(record.metrics[name] for record in ordered),
        )

    def __len__(self) -> int:
        """How many points there are."""
        return len(self.values)

    def between(self, first: int, last: int) -> Self:
        """The part from step `first` to step `last`, both included."""
        kept = [index for index, step in enumerate(self.steps) if first <= step <= last]
        return type(self)(
            tuple(self.steps[index] for index in kept),
            tuple(self.epochs[index] for index in kept),
            tuple(self.values[index] for index in kept),
        )

    @property
    def end(self) -> float:
        """Mean of the last fifth: the level the curve has come to."""
        return mean(self.values[-self._ending :])

    @property
    def start(self) -> float:
        """Mean of the first fifth."""
        return mean(self.values[: self._ending])

    @property
    def is_falling(self) -> bool | None:
        """Whether the second half of the curve still goes down; None with too few points to tell."""
        if len(self) < FEWEST_POINTS:
            return None
        half = self.values[len(self) // 2 :]
        middle = (len(half) - 1) / 2
        slope = fsum((place - middle) * value for place, value in enumerate(half)) / fsum(
            (place - middle) ** 2 for place in range(len(half))
        )
        return -slope * (len(half) - 1) > FALLING * abs(mean(half))

    @property
    def lowest(self) -> int:
        """Index of the lowest value, the first of several."""
        return min(range(len(self.values)), key=lambda index: self.values[index])

    @property
    def highest(self) -> int:
        """Index of the highest value, the first of several."""
        return max(range(len(self.values)), key=lambda index: self.values[index])

    @property
    def _ending(self) -> int:
        return max(1, round(ENDING * len(self.values)))


def goodness(history: Sequence[MetricRecord]) -> tuple[str, Curve] | None:
    """The validation figure that says how good the model is, and its curve; None where none was measured."""
    for name in SCORES_OF_GOODNESS:
        curve = Curve.of(history, name)
        if len(curve):
            return name, curve
    return None


def mean(values: Sequence[float]) -> float:
    """Arithmetic mean of at least one value."""
    return fsum(values) / len(values)
