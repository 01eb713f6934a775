"""What an experienced colleague would say of a training's curves and figures: pure rules, one a file.

`diagnose` applies them all; docs/findings.md describes each with its threshold.
"""

from trainjobs.core.diagnosis.facts import (
    DimensionFacts,
    EvaluationFacts,
    Facts,
    ScoresFacts,
    TimeFacts,
    TrainingFacts,
)
from trainjobs.core.diagnosis.finding import Finding, Severity
from trainjobs.core.diagnosis.rules import RULES, diagnose

__all__ = [
    "RULES",
    "DimensionFacts",
    "EvaluationFacts",
    "Facts",
    "Finding",
    "ScoresFacts",
    "Severity",
    "TimeFacts",
    "TrainingFacts",
    "diagnose",
]
