"""Confidence intervals by the percentile bootstrap (Efron 1979), for all figures at once.

A resample is a vector of counts, how often each row was drawn. Errors and correlations are then
weighted moments, one matrix product for a block of resamples; ranks of a resample follow from the
counts of the sorted rows, so nothing is sorted again.
"""

from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np

from trainjobs.ml.evaluation.figures import (
    CONSTANT,
    FEWEST_ROWS,
    FIGURES,
    Figure,
    Matrix,
    Vector,
    compute_figures,
)

BLOCK: Final = 2_000_000
"""Counts held at a time."""
FEWEST_SHARE: Final = 0.5
"""An interval needs a value from at least this share of the resamples."""


def figures_with_intervals(
    pairs: Mapping[str, tuple[Vector, Vector]], *, samples: int, confidence: float, seed: int
) -> dict[str, dict[str, Figure]]:
    """Figures of each (true, predicted) pair, with intervals; every pair sees the same resamples.

    Args:
        pairs: name → true and predicted scores, each of shape [rows], the same rows in all.
        samples: resamples; 0 leaves intervals out.
        confidence: coverage, between 0 and 1.
        seed: of the resampling: the same rows and seed give the same intervals.
    """
    points = {name: compute_figures(true, predicted) for name, (true, predicted) in pairs.items()}
    rows = len(next(iter(pairs.values()))[0]) if pairs else 0
    if samples == 0 or rows < FEWEST_ROWS:
        return points
    prepared = {name: _Pair(true, predicted) for name, (true, predicted) in pairs.items()}
    drawn: dict[str, list[Matrix]] = {name: [] for name in pairs}
    for counts in _resamples(rows, samples, np.random.default_rng(seed)):
        for name, pair in prepared.items():
            drawn[name].append(pair.figures(counts))
    return {name: _with_intervals(points[name], np.concatenate(drawn[name]), confidence) for name in pairs}


def _resamples(rows: int, samples: int, rng: np.random.Generator) -> Iterator[Matrix]:
    """Blocks of counts, shape [block, rows]; every line sums to `rows`."""
    block = max(1, BLOCK // rows)
    for start in range(0, samples, block):
        size = min(block, samples - start)
        draws = rng.integers(0, rows, size=(size, rows)) + np.arange(size)[:, None] * rows
        yield np.bincount(draws.ravel(), minlength=size * rows).reshape(size, rows).astype(np.float64)


def _with_intervals(points: dict[str, Figure], drawn: Matrix, confidence: float) -> dict[str, Figure]:
    tail = (1.0 - confidence) / 2.0
    result = {}
    for column, name in enumerate(FIGURES):
        values = drawn[:, column]
        values = values[np.isfinite(values)]
        point = points[name]
        if point.value is None or len(values) < FEWEST_SHARE * len(drawn):
            result[name] = point
            continue
        low, high = np.quantile(values, [tail, 1.0 - tail])
        result[name] = point.model_copy(update={"low": float(low), "high": float(high)})
    return result


class _Pair:
    """One (true, predicted) pair, prepared for resampling."""

    def __init__(self, true: Vector, predicted: Vector) -> None:
        self._true = true - true.mean()
        self._predicted = predicted - predicted.mean()
        difference = predicted - true
        self._errors = np.stack([difference**2, np.abs(difference)], axis=1)
        self._true_ranks = _Ranks(true)
        self._predicted_ranks = _Ranks(predicted)

    def figures(self, counts: Matrix) -> Matrix:
        """Figures of each resample, shape [block, FIGURES]; NaN for one that does not exist."""
        rows = counts.shape[1]
        mse, mae = (counts @ self._errors / rows).T
        x, y = self._true, self._predicted
        moments = counts @ np.stack([x, y, x * x, y * y, x * y], axis=1) / rows
        pearson = _correlations(*moments.T)
        x, y = self._true_ranks.under(counts), self._predicted_ranks.under(counts)
        ranked = [np.einsum("br,br->b", counts, term) / rows for term in (x, y, x * x, y * y, x * y)]
        figures = {
            "mse": mse,
            "mae": mae,
            "rmse": np.sqrt(mse),
            "pearson": pearson,
            "spearman": _correlations(*ranked),
        }
        return np.stack([figures[name] for name in FIGURES], axis=1)


class _Ranks:
    """Average ranks of one vector under any resampling of its rows."""

    def __init__(self, values: Vector) -> None:
        self._order = np.argsort(values, kind="stable")
        self._starts = np.flatnonzero(np.diff(values[self._order], prepend=np.nan) != 0)
        self._group = np.unique(values, return_inverse=True)[1]

    def under(self, counts: Matrix) -> Matrix:
        """Centred ranks of the rows in each resample, shape [block, rows]; equal values share theirs."""
        grouped = np.add.reduceat(counts[:, self._order], self._starts, axis=1)
        middle = np.cumsum(grouped, axis=1) - (grouped - 1.0) / 2.0
        ranks: Matrix = (middle - (counts.shape[1] + 1.0) / 2.0)[:, self._group]
        return ranks


def _correlations(x: Vector, y: Vector, xx: Vector, yy: Vector, xy: Vector) -> Vector:
    """Pearson's correlations from means of x, y, x², y², xy, each of shape [block]."""
    x_variance, y_variance = xx - x * x, yy - y * y
    exists = (x_variance > CONSTANT * xx) & (y_variance > CONSTANT * yy)
    scale = np.sqrt(np.where(exists, x_variance * y_variance, 1.0))
    return np.where(exists, np.clip((xy - x * y) / scale, -1.0, 1.0), np.nan)
