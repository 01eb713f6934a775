"""The overall score: the weighted mean of the dimensions, on a scale that fits them all."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from trainjobs.api.objective import ScoreDimension
from trainjobs.ml.evaluation.figures import Matrix, Vector


@dataclass(frozen=True, slots=True)
class OverallScale:
    """How dimensions become one score.

    Where all dimensions share one range, the overall score is on it (0 to 5 stays 0 to 5). Where they
    differ, each score is first mapped to 0…1 by its own range, and so the overall score is between 0 and 1.
    """

    dimensions: tuple[ScoreDimension, ...]
    minimum: float
    maximum: float

    @classmethod
    def of(cls, dimensions: Sequence[ScoreDimension]) -> Self:
        """The scale of these dimensions, at least one."""
        ranges = {(dimension.minimum, dimension.maximum) for dimension in dimensions}
        minimum, maximum = ranges.pop() if len(ranges) == 1 else (0.0, 1.0)
        return cls(tuple(dimensions), minimum, maximum)

    def normalized(self, scores: Matrix) -> Vector:
        """Overall scores mapped to 0…1 by the dimensions' ranges, shape [rows].

        Args:
            scores: in the scale of the rows, shape [rows, dimensions].
        """
        low = np.array([dimension.minimum for dimension in self.dimensions])
        high = np.array([dimension.maximum for dimension in self.dimensions])
        weights = np.array([dimension.weight for dimension in self.dimensions])
        overall: Vector = ((scores - low) / (high - low)) @ (weights / weights.sum())
        return overall

    def overall(self, scores: Matrix) -> Vector:
        """Overall scores from `minimum` to `maximum`, shape [rows]; `scores` as in `normalized`."""
        return self.minimum + self.normalized(scores) * (self.maximum - self.minimum)
