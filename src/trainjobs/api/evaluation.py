"""What is computed when training is over, and what has to be reached."""

from typing import Annotated, ClassVar

from pydantic import Field

from trainjobs.api.base import FigureName, Rule, Section
from trainjobs.api.figure_rules import bounded


class Threshold(Section):
    """A figure that has to be reached, or the run fails."""

    metric: FigureName
    """Name as in evaluation.json (`overall.pearson`)."""
    minimum: Annotated[float, Field(ge=-1e9, le=1e9)] | None = None
    """Lowest value allowed."""
    maximum: Annotated[float, Field(ge=-1e9, le=1e9)] | None = None
    """Highest value allowed."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "has(self.minimum) || has(self.maximum)",
            "spec.evaluation.thresholds: a threshold needs minimum or maximum; give one",
        ),
        bounded("Lower", "maximum"),
        bounded("Higher", "minimum"),
    )


class Evaluation(Section):
    """The final evaluation: on `dataset.test`, or on the validation rows where there is none."""

    bootstrap_samples: Annotated[int, Field(ge=0, le=100_000)] = 1000
    """Resamples behind each confidence interval; 0 leaves intervals out."""
    confidence: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.95
    """Coverage of the intervals."""
    thresholds: Annotated[list[Threshold], Field(max_length=32)] = Field(default_factory=list)
    """Figures that have to be reached, or the run fails."""
