"""How far the annotators agree with each other, and so how well any model could do."""

from collections.abc import Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict

from trainjobs.ml.evaluation.figures import FEWEST_ROWS, Figure, Vector, compute_figures


class Agreement(BaseModel):
    """The annotators of one dimension, in the scale of the rows."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    rows: int
    """Rows that several annotators scored."""
    ratings_per_row: float
    """Mean number of annotators of these rows."""
    figures: dict[str, Figure]
    """One annotator against the mean of the others of the same row, over every annotator of every row: what a
    careful person reaches."""
    reliability: float | None
    """Share of the variance of the mean scores that is not noise between annotators: ICC(1,k), one-way random
    effects (Shrout & Fleiss 1979)."""
    ceiling: float | None
    """The Pearson correlation that a perfect model would reach against these mean scores: √reliability."""
    reason: str | None = None
    """Why reliability and ceiling are missing."""


def agreement(ratings: Sequence[Vector]) -> Agreement | None:
    """Agreement of the annotators of one dimension, or None where no row has two.

    Args:
        ratings: for each row, its annotators' scores, shape [annotators of the row].
    """
    several = [row for row in ratings if len(row) > 1]
    if not several:
        return None
    counts = np.array([len(row) for row in several])
    scores = np.concatenate(several)
    row = np.repeat(np.arange(len(several)), counts)
    sums = np.bincount(row, weights=scores)
    others = (sums[row] - scores) / (counts[row] - 1)
    reliability, reason = _reliability(scores, row, counts, sums / counts)
    return Agreement(
        rows=len(several),
        ratings_per_row=float(counts.mean()),
        figures=compute_figures(others, scores),
        reliability=reliability,
        ceiling=None if reliability is None else reliability**0.5,
        reason=reason,
    )


def _reliability(
    scores: Vector, row: np.ndarray, counts: np.ndarray, means: Vector
) -> tuple[float | None, str | None]:
    if len(counts) < FEWEST_ROWS:
        return None, f"only {len(counts)} rows have several annotators"
    grand = scores.mean()
    between = float(counts @ (means - grand) ** 2) / (len(counts) - 1)
    within = float(np.sum((scores - means[row]) ** 2)) / (len(scores) - len(counts))
    if between <= 0.0:
        return None, "every row has the same mean score"
    return float(np.clip(1.0 - within / between, 0.0, 1.0)), None
