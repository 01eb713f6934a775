"""The annotators, or the model, give every text the same score."""

from typing import Final

from trainjobs.core.diagnosis.facts import Facts
from trainjobs.core.diagnosis.finding import Finding

COLLAPSED: Final = 0.05
"""Predictions that spread by less than this part of the true scores' spread."""


def constant_scores(facts: Facts) -> Finding | None:
    """A dimension whose true scores are all the same: there is nothing to learn."""
    names = _constant(facts)
    if not names:
        return None
    return Finding(
        "ConstantScores",
        "Critical",
        f"all held-out rows have the same score: {', '.join(names)}",
        "look at the column's mapping and at the annotations; leave the dimension out if it is meant",
    )


def constant_predictions(facts: Facts) -> Finding | None:
    """A dimension where the model says nearly the same of every text."""
    if facts.scores is None:
        return None
    names = [
        one.name
        for one in facts.scores.dimensions
        if one.true_deviation > 0 and one.predicted_deviation < COLLAPSED * one.true_deviation
    ]
    if not names:
        return None
    return Finding(
        "ConstantPredictions",
        "Critical",
        f"the model gives nearly every text the same score: {', '.join(names)}",
        "train longer or with another learning rate; see whether the texts were cut where they differ",
    )


def _constant(facts: Facts) -> list[str]:
    if facts.scores is None:
        return []
    return [one.name for one in facts.scores.dimensions if one.true_deviation == 0.0]
