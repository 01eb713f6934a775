"""Reward models that predict named scores of a text."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from transformers import PreTrainedModel

from trainjobs.api.objective import Regression
from trainjobs.core.recipe.model import Recipe
from trainjobs.errors import InvalidRecipe
from trainjobs.ml.data.formats.scored_reader import ScoredReader
from trainjobs.ml.data.sides import Sides, read_sides
from trainjobs.ml.data.tables import Part, Ragged
from trainjobs.ml.data.text import DEFAULT_TEMPLATE, TextEncoder
from trainjobs.ml.evaluation.final import judge_scores, leave
from trainjobs.ml.evaluation.raters import Agreement, agreement
from trainjobs.ml.evaluation.thresholds import Judgement
from trainjobs.ml.modeling.adapters import Model
from trainjobs.ml.modeling.architectures import padding_token
from trainjobs.ml.modeling.base import LoadOptions
from trainjobs.ml.modeling.cards import Card, Normalization, RegressionCard
from trainjobs.ml.modeling.heads import HeadOptions
from trainjobs.ml.modeling.normalization import fit_normalization, to_outputs
from trainjobs.ml.modeling.scorers import build_scorer
from trainjobs.ml.modeling.tokenizer import longest_input
from trainjobs.ml.objectives.padding import Padding
from trainjobs.ml.objectives.protocol import Job
from trainjobs.ml.objectives.regression_learner import RegressionLearner

_log = logging.getLogger("trainjobs.training")


@dataclass(frozen=True, slots=True)
class RegressionObjective:
    """A base model with a linear head, one output per dimension."""

    job: Job
    options: Regression
    data: Sides
    """With a column `labels`: what the head should put out, shape [dimensions]."""
    card: RegressionCard
    """How texts become the model's inputs, and its outputs scores."""

    @classmethod
    def read(cls, job: Job) -> Self:
        """Read and check what the recipe names. InvalidRecipe, InvalidData."""
        recipe, before = job.recipe, job.before
        options = _options(recipe)
        encoder = TextEncoder(job.tokenizer, recipe.dataset.template, _max_length(job))
        seed = before.seed(recipe) if before else recipe.training.seed
        reader = ScoredReader(recipe.dataset, options.dimensions, encoder, seed=seed)
        data = read_sides(recipe, job.inputs, reader, before)
        assert reader.texts is not None
        normalization = _learned_scale(before.card, options) if before else None
        normalization = normalization or fit_normalization(options, data.train.column("scores"))
        card = RegressionCard(
            dimensions=options.dimensions,
            normalization=normalization,
            template=recipe.dataset.template or DEFAULT_TEMPLATE,
            fields=recipe.dataset.fields,
            parts=reader.texts.parts,
            max_length=reader.max_length,
            overlong=recipe.dataset.overlong,
            head_dropout=options.head_dropout,
            base_model=recipe.model.uri,
            base_path=job.inputs.model,
        )
        data = replace(
            data,
            train=_labelled(data.train, normalization),
            validation=_labelled(data.validation, normalization) if data.validation else None,
        )
        return cls(job, options, data, card)

    def build(self, load: LoadOptions) -> Model:
        """Return a new model with a head, and an adapter where the recipe asks for one."""
        head = HeadOptions(self.card.names, self.options.head_dropout)
        return build_scorer(
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
            for name, found in _agreement(self.data.train, self.card.names).items()
        }
        return {"annotators": agreed}

    def judge(self, model: PreTrainedModel, output: Path) -> Judgement:
        """Judge the scores of the rows that were held out, and write the report."""
        held_out = self.data.judged
        if held_out is None:
            return leave(output, None)
        return leave(output, judge_scores(self.job.recipe, model, self.card, self.data, held_out))


def _options(recipe: Recipe) -> Regression:
    if recipe.objective is None or recipe.objective.regression is None:
        raise InvalidRecipe("spec.objective.regression: required for the task Regression; add it")
    return recipe.objective.regression


def _learned_scale(card: Card, options: Regression) -> Normalization | None:
    """Return the scale that the head has learned; None where the recipe asks for another kind.

    InvalidRecipe when the head's outputs are other dimensions: by their number alone they would fit.
    """
    assert isinstance(card, RegressionCard)
    names = [dimension.name for dimension in options.dimensions]
    if names != card.names:
        raise InvalidRecipe(
            f"spec.objective.regression.dimensions: {', '.join(names)}; but the checkpoint of"
            f" spec.checkpoints.resume scores {', '.join(card.names)}: give these, in this order"
        )
    there = card.normalization
    if there.kind != options.normalization:
        _log.warning("scores are normalised anew: %s, not %s", options.normalization, there.kind)
        return None
    return there


def _max_length(job: Job) -> int:
    asked, limit = job.recipe.dataset.max_length, longest_input(job.config, job.tokenizer)
    if limit is not None and asked > limit:
        _log.info("the base model reads at most %d tokens: that is maxLength, not %d", limit, asked)
        return limit
    return asked


def _labelled(rows: Part, normalization: Normalization) -> Part:
    outputs = to_outputs(np.asarray(rows.table.columns["scores"]), normalization)
    return rows.with_column("labels", outputs.astype(np.float32))


def _agreement(rows: Part, names: list[str]) -> dict[str, Agreement]:
    ratings = rows.table.columns["ratings"]
    assert isinstance(ratings, Ragged)
    given = [ratings[index].astype(np.float64) for index in rows.indices]
    found = {name: agreement([row[:, column] for row in given]) for column, name in enumerate(names)}
    return {name: value for name, value in found.items() if value is not None}
