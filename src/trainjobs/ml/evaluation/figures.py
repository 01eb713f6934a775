"""Figures of predicted against true scores: MSE, MAE, RMSE, Pearson, Spearman.

Correlations of constant scores, or of fewer than three rows, do not exist: they are None with a
reason, never NaN.
"""

from typing import Final

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict
from scipy.stats import rankdata

from trainjobs.api.figures import SCORES

Vector = npt.NDArray[np.float64]
Matrix = npt.NDArray[np.float64]

FIGURES: Final = tuple(kind.name for kind in SCORES)
_CORRELATIONS: Final = ("pearson", "spearman")
FEWEST_ROWS: Final = 3
"""Two rows always correlate by 1 or -1."""
CONSTANT: Final = 1e-12
"""Variance below this part of the squared magnitude is rounding, not variance."""


class Figure(BaseModel):
    """One figure, its confidence interval, and why one of them is missing."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    value: float | None
    low: float | None = None
    high: float | None = None
    reason: str | None = None


def compute_figures(true: Vector, predicted: Vector) -> dict[str, Figure]:
    """Every figure of FIGURES, without intervals.

    Args:
        true, predicted: shape [rows], finite, in the same scale, at least one row.
    """
    difference = predicted - true
    mse = float(np.mean(difference**2))
    figures = {
        "mse": Figure(value=mse),
        "mae": Figure(value=float(np.mean(np.abs(difference)))),
        "rmse": Figure(value=mse**0.5),
    }
    reason = why_no_correlation(true, predicted)
    if reason is not None:
        return figures | {name: Figure(value=None, reason=reason) for name in _CORRELATIONS}
    return figures | {
        "pearson": Figure(value=correlation(true, predicted)),
        "spearman": Figure(value=correlation(rankdata(true), rankdata(predicted))),
    }


def why_no_correlation(true: Vector, predicted: Vector) -> str | None:
    """Why `true` and `predicted` have no correlation, or None where they have one."""
    if len(true) < FEWEST_ROWS:
        return f"{len(true)} rows are too few; a correlation needs at least {FEWEST_ROWS}"
    if is_constant(true):
        return "the true scores are all the same"
    if is_constant(predicted):
        return "the predictions are all the same"
    return None


def is_constant(values: Vector) -> bool:
    """Whether `values` differ by no more than rounding."""
    return bool(np.var(values) <= CONSTANT * max(float(np.mean(values**2)), 1e-300))


def correlation(left: Vector, right: Vector) -> float:
    """Pearson's correlation of two vectors that are not constant, shape [rows]."""
    left, right = left - left.mean(), right - right.mean()
    return float(np.clip(left @ right / np.sqrt((left @ left) * (right @ right)), -1.0, 1.0))
