"""What a figure has to beat: predicting the mean, and guessing by the length of the text alone.

Both are fitted on the training rows, never on the rows they are judged on.
"""

from typing import Final

import numpy as np
from pydantic import BaseModel, ConfigDict

from trainjobs.api.exchanged import Exchanged
from trainjobs.ml.evaluation.figures import Matrix, Vector, is_constant

BASELINES_FILE: Final = "baselines.json"
"""In the model's folder, so that an evaluation without the training rows has them."""
MEAN: Final = "mean"
LENGTH: Final = "length"


class Line(BaseModel):
    """Baselines of one dimension, in the scale of the rows."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    mean: float
    """Mean score of the training rows: what the first baseline always says."""
    slope: float
    intercept: float
    """The second says `intercept + slope × characters of the joined text` (least squares)."""


class Baselines(Exchanged):
    """The baselines of every dimension."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rows: int
    """Training rows they were fitted on."""
    dimensions: dict[str, Line]

    def predict(self, names: list[str], lengths: Vector) -> dict[str, Matrix]:
        """What each baseline says, name → shape [rows, dimensions].

        Args:
            names: dimensions, in the order of the columns.
            lengths: characters of each row's joined text, shape [rows].
        """
        lines = [self.dimensions[name] for name in names]
        return {
            MEAN: np.stack([np.full(len(lengths), line.mean) for line in lines], axis=1),
            LENGTH: np.stack([line.intercept + line.slope * lengths for line in lines], axis=1),
        }


def fit(names: list[str], true: Matrix, lengths: Vector) -> Baselines:
    """Fit the baselines.

    Args:
        names: dimensions, in the order of the columns of `true`.
        true: scores of the training rows, shape [rows, dimensions].
        lengths: characters of each row's joined text, shape [rows].
    """
    return Baselines(
        rows=len(true),
        dimensions={name: _fit_line(true[:, column], lengths) for column, name in enumerate(names)},
    )


def _fit_line(true: Vector, lengths: Vector) -> Line:
    mean = float(true.mean())
    if is_constant(lengths):
        return Line(mean=mean, slope=0.0, intercept=mean)
    centred = lengths - lengths.mean()
    slope = float(centred @ (true - mean) / (centred @ centred))
    return Line(mean=mean, slope=slope, intercept=mean - slope * float(lengths.mean()))
