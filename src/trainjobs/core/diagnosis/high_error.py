"""The scores are far off."""

from typing import Final

from trainjobs.core.diagnosis.facts import DimensionFacts, Facts
from trainjobs.core.diagnosis.finding import Finding

LARGE: Final = 0.3
"""MAE as a part of the dimension's range."""
BETTER: Final = 0.2
"""How much smaller than the error of predicting the mean it should be at least."""


def high_error(facts: Facts) -> Finding | None:
    """A dimension's error is large against its range, or hardly smaller than that of predicting the mean."""
    if facts.scores is None:
        return None
    parts = [part for one in facts.scores.dimensions if (part := _too_high(one)) is not None]
    if not parts:
        return None
    return Finding(
        "HighError",
        "Warning",
        "; ".join(parts),
        "see the worst examples in the report; then train longer, with more rows or a larger base model",
    )


def _too_high(one: DimensionFacts) -> str | None:
    baseline = one.mean_baseline_mae
    if baseline and one.mae > (1.0 - BETTER) * baseline:
        better = 1.0 - one.mae / baseline
        compared = f"{better:.0%} below" if better > 0 else f"{-better:.0%} above"
        return f"{one.name}: MAE {one.mae:.2f} is {compared} predicting the mean ({baseline:.2f})"
    share = one.mae / (one.maximum - one.minimum)
    return f"{one.name}: MAE {one.mae:.2f} is {share:.0%} of the range" if share > LARGE else None
