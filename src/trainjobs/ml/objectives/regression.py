"""Reward models that predict named scores of a text."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from transformers import PreTrainedModel

from trainjobs.api.objective import Regression
from trainjobs.core.recipe.model import Recipe
from trainjobs.errors import InvalidRecipe
from trainjobs.ml.evaluation.final import evaluate_and_report
from trainjobs.ml.evaluation.thresholds import Judgement
from trainjobs.ml.modeling.architectures import padding_token
from trainjobs.ml.modeling.base import LoadOptions
from trainjobs.ml.modeling.heads import HeadOptions
from trainjobs.ml.modeling.regression import Model, build_model
from trainjobs.ml.modeling.scoring_config import ScoringConfig
from trainjobs.ml.objectives.protocol import Job
from trainjobs.ml.objectives.regression_data import RegressionData, load_data
from trainjobs.ml.objectives.regression_dataset import Padding
from trainjobs.ml.objectives.regression_learner import RegressionLearner


@dataclass(frozen=True, slots=True)
class RegressionObjective:
    """A base model with a linear head, one output per dimension."""

    job: Job
    options: Regression
    data: RegressionData

    @classmethod
    def read(cls, job: Job) -> Self:
        """Read and check what the recipe names. InvalidRecipe, InvalidData."""
        options = _options(job.recipe)
        data = load_data(job.recipe, job.inputs, options, job.tokenizer, job.config, job.before)
        return cls(job, options, data)

    @property
    def card(self) -> ScoringConfig:
        """How texts become the model's inputs, and its outputs scores."""
        return self.data.scoring

    def build(self, load: LoadOptions) -> Model:
        """Return a new model with a head, and an adapter where the recipe asks for one."""
        head = HeadOptions(self.card.names, self.options.head_dropout)
        return build_model(
            Path(self.job.inputs.model), self.job.tokenizer, head, self.job.recipe.adapter, load
        )

    def learner(self, model: Model, *, multiple: int) -> RegressionLearner:
        """Return how scores are learned."""
        padding = Padding(padding_token(model.config), multiple=multiple, longest=self.data.max_length)
        return RegressionLearner(self.options, self.card.normalization, padding)

    def statistics(self) -> Mapping[str, Any]:
        """Return how far annotators agree, where rows have several."""
        agreed = {
            name: {
                "rows": found.rows,
                "ratings_per_row": found.ratings_per_row,
                "pearson": found.figures["pearson"].value,
                "mae": found.figures["mae"].value,
                "reliability": found.reliability,
                "ceiling": found.ceiling,
            }
            for name, found in self.data.agreement.items()
        }
        return {"annotators": agreed}

    def judge(self, model: PreTrainedModel, output: Path) -> Judgement:
        """Judge the model on the test rows, or on the validation rows where there are none."""
        return evaluate_and_report(
            self.job.recipe,
            model,
            self.job.tokenizer,
            self.card,
            output,
            self.data.record.bounds,
            learned=self.data.learned,
        )


def _options(recipe: Recipe) -> Regression:
    if recipe.objective is None or recipe.objective.regression is None:
        raise InvalidRecipe("spec.objective.regression: required for the task Regression; add it")
    return recipe.objective.regression
