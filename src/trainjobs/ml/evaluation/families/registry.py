"""The families by their names in results."""

from typing import Final

from trainjobs.ml.evaluation.families.protocol import Family
from trainjobs.ml.evaluation.families.scores.shown import SCORES_FAMILY
from trainjobs.ml.evaluation.results import EvaluationResult

FAMILIES: Final[dict[str, Family]] = {"Scores": SCORES_FAMILY}


def family_of(result: EvaluationResult) -> Family:
    """Return the family of a result's figures."""
    return FAMILIES[result.details.family]
