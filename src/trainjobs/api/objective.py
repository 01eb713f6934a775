"""What a reward model learns to predict."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from trainjobs.api.base import DimensionName, Rule, Section, Text, union_rules

Score = Annotated[float, Field(ge=-1e6, le=1e6)]
Dropout = Annotated[float, Field(ge=0.0, lt=1.0)]


class ScoreDimension(Section):
    """One named quality that annotators score."""

    name: DimensionName
    """Its name in the rows and in every figure (`accuracy`)."""
    minimum: Score = 0.0
    """Lowest score an annotator may give."""
    maximum: Score = 5.0
    """Highest score an annotator may give."""
    weight: Annotated[float, Field(gt=0.0, le=1000.0)] = 1.0
    """Its share in the loss and in the overall score."""
    description: Text = ""
    """What annotators were asked."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "self.minimum < self.maximum",
            "spec.objective.regression.dimensions: minimum must be below maximum; swap or correct them",
        ),
    )


class Regression(Section):
    """Predict named scores of a text."""

    dimensions: Annotated[list[ScoreDimension], Field(min_length=1, max_length=32)]
    """The scores to predict, in the order of the model's outputs."""
    normalization: Literal["None", "Range", "Standard"] = "Standard"
    """What the head predicts: raw scores, scores mapped to 0…1 by their range, or standard scores of the
    training rows. Reported figures are always in the scale of the rows."""
    loss: Literal["MSE", "Huber", "MAE"] = "MSE"
    """Loss per dimension, weighted by the dimensions' weights and averaged."""
    head_dropout: Dropout | None = None
    """Dropout before the head; default is the base model's own."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "self.dimensions.all(d, self.dimensions.exists_one(e, e.name == d.name))",
            "spec.objective.regression.dimensions: a name stands twice; every dimension needs its own",
        ),
        Rule(
            "self.dimensions.all(d, d.name != 'overall')",
            "spec.objective.regression.dimensions: overall is the mean of all; choose another name",
        ),
    )


class Pairwise(Section):
    """Prefer the chosen answer to the rejected one (Bradley-Terry)."""

    margin: Text | None = None
    """Column with how much better the chosen answer is (Llama 2, eq. 2)."""
    center_rewards_coefficient: Annotated[float, Field(ge=0.0, le=100.0)] = 0.0
    """Pulls rewards towards a mean of zero (Eisenstein et al. 2023)."""


class Process(Section):
    """Judge every step of a solution."""

    step_separator: Annotated[str, Field(min_length=1, max_length=64)] = "\n"
    """What stands between two steps."""


class LatentProcess(Section):
    """Judge a sequence of latent vectors."""

    target: DimensionName = "prm_score"
    """Which score of the collected files to learn."""
    pooling: Literal["Mean", "Last", "Max"] = "Mean"
    """How a sequence becomes one vector."""
    head_dropout: Dropout = 0.1
    """Dropout before the head."""
    max_sequence: Annotated[int, Field(ge=1, le=65536)] = 512
    """Longest sequence; longer ones are cut and counted."""


class Objective(Section):
    """What a reward model learns to predict: `type`, and that type's options."""

    type: Literal["Regression", "Pairwise", "Process", "LatentProcess"]
    """Which objective."""
    regression: Regression | None = None
    """Options of `Regression`."""
    pairwise: Pairwise | None = None
    """Options of `Pairwise`."""
    process: Process | None = None
    """Options of `Process`."""
    latent_process: LatentProcess | None = None
    """Options of `LatentProcess`."""

    rules: ClassVar[tuple[Rule, ...]] = union_rules(
        "spec.objective",
        {
            "Regression": "regression",
            "Pairwise": "pairwise",
            "Process": "process",
            "LatentProcess": "latentProcess",
        },
        required=frozenset({"Regression"}),
    )
