"""The held-out rows are scored differently from the training rows."""

from typing import Final

from trainjobs.core.diagnosis.facts import DimensionFacts, Facts
from trainjobs.core.diagnosis.finding import Finding

SHIFT: Final = 0.3
"""Distance of the means, in deviations of the held-out scores."""
STANDARD_ERRORS: Final = 3.0
"""And in standard errors of the held-out mean: fewer may be chance."""


def shifted_evaluation(facts: Facts) -> Finding | None:
    """A dimension's mean over the held-out rows lies far from its mean over the training rows."""
    evaluation, scores = facts.evaluation, facts.scores
    if evaluation is None or scores is None:
        return None
    rows = evaluation.rows
    shifted = [dimension for dimension in scores.dimensions if _is_shifted(dimension, rows)]
    if not shifted:
        return None
    parts = [f"{one.name} {one.train_mean:.2f} and {one.true_mean:.2f}" for one in shifted]
    return Finding(
        "ShiftedEvaluation",
        "Warning",
        f"mean scores differ between training and held-out rows: {', '.join(parts)}",
        "find out what sets them apart (time, topic, annotators); if they should be alike, split one pool",
    )


def _is_shifted(dimension: DimensionFacts, rows: int) -> bool:
    if dimension.train_mean is None or dimension.true_deviation == 0.0:
        return False
    distance = abs(dimension.true_mean - dimension.train_mean) / dimension.true_deviation
    return distance > SHIFT and distance * rows**0.5 > STANDARD_ERRORS
