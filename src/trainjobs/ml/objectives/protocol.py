"""What differs between two things that can be trained; all else is the engine's."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray
from transformers import PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

from trainjobs.core.recipe.model import Inputs, Recipe
from trainjobs.ml.data.before import DataBefore
from trainjobs.ml.data.encoded import Cuts
from trainjobs.ml.data.record import DataRecord
from trainjobs.ml.evaluation.thresholds import Judgement
from trainjobs.ml.modeling.base import LoadOptions
from trainjobs.ml.modeling.regression import Model
from trainjobs.ml.modeling.scoring_config import ScoringConfig
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


class Rows(Protocol):
    """Rows to train on or to validate on; what one looks like is between an objective and its learner."""

    def __len__(self) -> int:
        """Return the number of rows."""

    def __getitem__(self, index: int, /) -> object:
        """Return one row."""

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens of each row, shape [rows]."""


@dataclass(frozen=True, slots=True)
class Data:
    """Everything that a run learns from: read once, checked, tokenised and split."""

    train: Rows
    validation: Rows | None
    """In the order of length, longest first: little padding, and memory runs out at once or never."""
    record: DataRecord
    """What goes with every checkpoint."""
    max_length: int
    """Longest row in tokens."""
    cuts: Cuts
    """Of training and validation rows together."""
    repeated: int
    """Validation rows that are learned from, too."""


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
    def data(self) -> Data:
        """What is learned from."""

    @property
    def card(self) -> ScoringConfig:
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
