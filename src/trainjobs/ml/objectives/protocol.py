"""What differs between two things that can be trained; all else is the engine's."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, Self

from transformers import PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

from trainjobs.core.recipe.model import Inputs, Recipe
from trainjobs.ml.data.before import DataBefore
from trainjobs.ml.data.sides import Sides
from trainjobs.ml.evaluation.thresholds import Judgement
from trainjobs.ml.modeling.adapters import Model
from trainjobs.ml.modeling.base import LoadOptions
from trainjobs.ml.modeling.cards import Card
from trainjobs.ml.objectives.learner import Learner


@dataclass(frozen=True, slots=True)
class Job:
    """One training, as an objective is given it."""

    recipe: Recipe
    inputs: Inputs
    tokenizer: PreTrainedTokenizerBase
    config: PreTrainedConfig
    before: DataBefore | None
    """The data of the checkpoint that training goes on from."""


class Objective(Protocol):
    """One thing to train, its data read."""

    @classmethod
    def read(cls, job: Job) -> Self:
        """Read and check all that the recipe names.

        Raises:
            InvalidRecipe: options are missing, or do not fit the checkpoint that training goes on from.
            InvalidData: a row cannot be used; names file and line.
        """

    @property
    def data(self) -> Sides:
        """What is learned from, and judged on."""

    @property
    def card(self) -> Card:
        """What the trained model needs besides its weights."""

    def build(self, load: LoadOptions) -> Model:
        """Return a new model to train; called again to make a sharded one whole.

        Raises:
            ModelNotFound: a file of the base model is missing or damaged.
            InvalidRecipe: it has not what this objective needs.
        """

    def learner(self, model: Model, *, multiple: int) -> Learner:
        """Return how the model learns; lengths are padded to a multiple, which suits some devices."""

    def statistics(self) -> Mapping[str, Any]:
        """Return fields of `training_stats.json` that only this objective knows."""

    def judge(self, model: PreTrainedModel, output: Path) -> Judgement:
        """Judge the trained model on rows that were held out, and write the report into the output folder."""
