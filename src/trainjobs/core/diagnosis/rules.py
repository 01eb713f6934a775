"""All rules, and applying them."""

from collections.abc import Callable
from typing import Final

from trainjobs.core.diagnosis.checkpoint_stalls import checkpoint_stalls
from trainjobs.core.diagnosis.constant_scores import constant_predictions, constant_scores
from trainjobs.core.diagnosis.divergence import divergence
from trainjobs.core.diagnosis.facts import Facts
from trainjobs.core.diagnosis.finding import Finding
from trainjobs.core.diagnosis.high_error import high_error
from trainjobs.core.diagnosis.noisy_evaluation import noisy_evaluation
from trainjobs.core.diagnosis.overfitting import overfitting
from trainjobs.core.diagnosis.plateau import plateau
from trainjobs.core.diagnosis.repeated_rows import repeated_rows
from trainjobs.core.diagnosis.shifted_evaluation import shifted_evaluation
from trainjobs.core.diagnosis.slow_data import slow_data
from trainjobs.core.diagnosis.still_improving import still_improving
from trainjobs.core.diagnosis.too_few_rows import too_few_rows
from trainjobs.core.diagnosis.underfitting import underfitting
from trainjobs.core.diagnosis.weak_correlation import weak_correlation

Rule = Callable[[Facts], Finding | None]

RULES: Final[tuple[Rule, ...]] = (
    divergence,
    constant_scores,
    constant_predictions,
    overfitting,
    underfitting,
    still_improving,
    plateau,
    weak_correlation,
    high_error,
    noisy_evaluation,
    shifted_evaluation,
    repeated_rows,
    too_few_rows,
    slow_data,
    checkpoint_stalls,
)

_ORDER: Final = {"Critical": 0, "Warning": 1, "Info": 2}


def diagnose(facts: Facts) -> list[Finding]:
    """What all rules find, the gravest first."""
    found = [finding for rule in RULES if (finding := rule(facts)) is not None]
    return sorted(found, key=lambda finding: _ORDER[finding.severity])
