"""The model does not order the texts as the annotators do."""

from typing import Final

from trainjobs.core.diagnosis.facts import DimensionFacts, Facts
from trainjobs.core.diagnosis.finding import Finding

WEAK: Final = 0.7
"""Pearson correlation below which a reward model is not to be relied on."""
NEAR_CEILING: Final = 0.9
"""From this part of the annotators' own ceiling on, the model is not what is missing."""


def weak_correlation(facts: Facts) -> Finding | None:
    """A dimension's Pearson correlation lies below WEAK."""
    if facts.scores is None:
        return None
    weak = [one for one in facts.scores.dimensions if one.pearson is not None and one.pearson < WEAK]
    if not weak:
        return None
    parts = [f"{one.name} {one.pearson:.2f}" for one in weak]
    if all(_at_ceiling(one) for one in weak):
        return Finding(
            "WeakCorrelation",
            "Info",
            f"Pearson below {WEAK}: {', '.join(parts)}; the annotators' agreement allows little more "
            f"({', '.join(f'{one.ceiling:.2f}' for one in weak)})",
            "more annotators per row, or clearer instructions to them, would help more than a better model",
        )
    return Finding(
        "WeakCorrelation",
        "Warning",
        f"Pearson below {WEAK}: {', '.join(parts)}",
        "a larger base model, more rows, or longer training; see first how far the annotators agree",
    )


def _at_ceiling(dimension: DimensionFacts) -> bool:
    return (
        dimension.ceiling is not None
        and dimension.pearson is not None
        and dimension.pearson >= NEAR_CEILING * dimension.ceiling
    )
