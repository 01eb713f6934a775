"""The data of a regression run: read, checked, tokenised, split, normalised."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from transformers import PreTrainedConfig, PreTrainedTokenizerBase

from trainjobs.api.objective import Regression
from trainjobs.core.recipe.model import Inputs, Recipe
from trainjobs.errors import InvalidData
from trainjobs.ml.data.before import DataBefore
from trainjobs.ml.data.columns import Columns
from trainjobs.ml.data.encoded import Cuts, EncodedRows, encode_rows
from trainjobs.ml.data.record import DataRecord
from trainjobs.ml.data.repeats import digest, repeats
from trainjobs.ml.data.scored import ScoredRows
from trainjobs.ml.data.splits import Split, assign, draw
from trainjobs.ml.data.text import DEFAULT_TEMPLATE, TextEncoder
from trainjobs.ml.evaluation.raters import Agreement, agreement
from trainjobs.ml.modeling.normalization import fit_normalization, to_outputs
from trainjobs.ml.modeling.scoring_config import ScoringConfig
from trainjobs.ml.modeling.tokenizer import longest_input
from trainjobs.ml.objectives.protocol import Data
from trainjobs.ml.objectives.regression_dataset import RegressionDataset

_log = logging.getLogger("trainjobs.training")
_NAMED = 5
"""Files that a log line names."""


@dataclass(frozen=True, slots=True)
class RegressionData(Data):
    """Texts with scores."""

    scoring: ScoringConfig
    agreement: dict[str, Agreement]
    """Dimension → how far its annotators agree, where rows have several."""
    learned: frozenset[bytes]
    """Digests of the training texts (`trainjobs.ml.data.repeats`)."""


def load_data(
    recipe: Recipe,
    inputs: Inputs,
    regression: Regression,
    tokenizer: PreTrainedTokenizerBase,
    config: PreTrainedConfig,
    before: DataBefore | None,
) -> RegressionData:
    """Read and tokenise the rows; `before` are those of the checkpoint that training goes on from.

    InvalidData names file and line of the first row that cannot be used, or the file that has changed
    since the checkpoint was saved.
    """
    max_length = _max_length(recipe, tokenizer, config)
    encoder = TextEncoder(tokenizer, recipe.dataset.template, max_length)
    seed = before.seed(recipe) if before else recipe.training.seed
    source = ScoredRows(Path(inputs.train), recipe.dataset, regression.dimensions)
    rows = encode_rows(source, encoder, recipe.dataset.overlong, seed=seed)
    assert source.columns is not None
    _say_passed_over(source)
    hashes = {f"train/{name}": value for name, value in source.hashes.items()}
    eval_rows = rows
    if inputs.eval:
        held_out = ScoredRows(
            Path(inputs.eval), recipe.dataset, regression.dimensions, columns=source.columns
        )
        eval_rows = encode_rows(held_out, encoder, recipe.dataset.overlong, seed=seed)
        _say_passed_over(held_out)
        hashes |= {f"eval/{name}": value for name, value in held_out.hashes.items()}
    if before is not None:
        before.check(hashes, recipe)
    bounds = _bounds(recipe, inputs, rows, before)
    train, aside = assign(rows.places, bounds)
    train_indices = rows.among(train)
    if not len(train_indices):
        raise InvalidData("no training row is left: every one is longer than spec.dataset.maxLength")
    _check_held_out(recipe, inputs, regression, encoder, source.columns, hashes)
    eval_indices = None if aside is None else rows.among(aside)
    if inputs.eval:
        eval_indices = np.arange(len(eval_rows))
    normalization = before.normalization(regression) if before else None
    normalization = normalization or fit_normalization(regression, rows.scores[train_indices])
    scoring = ScoringConfig(
        dimensions=regression.dimensions,
        normalization=normalization,
        template=recipe.dataset.template or DEFAULT_TEMPLATE,
        fields=recipe.dataset.fields,
        parts=source.columns.parts,
        max_length=max_length,
        overlong=recipe.dataset.overlong,
        head_dropout=regression.head_dropout,
        base_model=recipe.model.uri,
        base_path=inputs.model,
    )
    learned = frozenset(digest(rows.ids(index)) for index in train_indices)
    validation, repeated = None, 0
    if eval_indices is not None and len(eval_indices):
        repeated = repeats((eval_rows.ids(index) for index in eval_indices), learned)
        by_length = eval_indices[np.argsort(-eval_rows.lengths[eval_indices], kind="stable")]
        validation = RegressionDataset(eval_rows, by_length, to_outputs(eval_rows.scores, normalization))
    return RegressionData(
        train=RegressionDataset(rows, train_indices, to_outputs(rows.scores, normalization)),
        validation=validation,
        scoring=scoring,
        max_length=max_length,
        record=DataRecord.of(recipe.run.uid, hashes, bounds),
        cuts=rows.cuts if eval_rows is rows else _sum(rows.cuts, eval_rows.cuts),
        agreement=_agreement(rows, train_indices, scoring.names),
        learned=learned,
        repeated=repeated,
    )


def _bounds(recipe: Recipe, inputs: Inputs, rows: EncodedRows, before: DataBefore | None) -> Split | None:
    """Draw a split, or go on with the one that there is: its validation rows were never learned from."""
    eval_fraction = 0.0 if inputs.eval else recipe.dataset.eval_fraction
    there = before.bounds(eval_fraction) if before else None
    if before is not None and before.own:
        return there
    return draw(
        rows.places,
        eval_fraction=eval_fraction,
        train_fraction=recipe.dataset.train_fraction,
        seed=there.seed if there else recipe.training.seed,
        validated=there.validated if there else None,
    )


def _check_held_out(
    recipe: Recipe,
    inputs: Inputs,
    regression: Regression,
    encoder: TextEncoder,
    columns: Columns,
    hashes: Mapping[str, str],
) -> None:
    """Read the test rows, which only the end needs, and hold all files against those that are learned from.

    Raises:
        InvalidData: a test row cannot be used, or a file is learned from and judged on.
    """
    held_out = {name: value for name, value in hashes.items() if name.startswith("eval/")}
    if inputs.test:
        test = ScoredRows(Path(inputs.test), recipe.dataset, regression.dimensions, columns=columns)
        encode_rows(test, encoder, recipe.dataset.overlong, seed=recipe.training.seed)
        held_out |= {f"test/{name}": value for name, value in test.hashes.items()}
    learned = {value: name for name, value in hashes.items() if name.startswith("train/")}
    for name, value in held_out.items():
        if value in learned:
            split, _, file = name.partition("/")
            same = learned[value].removeprefix("train/")
            raise InvalidData(
                f"spec.dataset.{split}: {file} holds the same rows as {same} of spec.dataset.train;"
                " hold out rows that are not learned from"
            )


def _max_length(recipe: Recipe, tokenizer: PreTrainedTokenizerBase, config: PreTrainedConfig) -> int:
    asked, limit = recipe.dataset.max_length, longest_input(config, tokenizer)
    if limit is not None and asked > limit:
        _log.info("the base model reads at most %d tokens: that is maxLength, not %d", limit, asked)
        return limit
    return asked


def _say_passed_over(rows: ScoredRows) -> None:
    if names := rows.passed_over:
        more = ", …" if len(names) > _NAMED else ""
        _log.info(
            "data: %d files are hidden or not named *.jsonl, and are not read: %s%s",
            len(names),
            ", ".join(names[:_NAMED]),
            more,
        )


def _sum(left: Cuts, right: Cuts) -> Cuts:
    return Cuts(
        left.rows_cut + right.rows_cut,
        left.tokens_cut + right.tokens_cut,
        left.rows_dropped + right.rows_dropped,
    )


def _agreement(rows: EncodedRows, indices: NDArray[np.int64], names: list[str]) -> dict[str, Agreement]:
    if not rows.ratings:
        return {}
    chosen = [rows.ratings[index].astype(np.float64) for index in indices]
    found = {name: agreement([row[:, column] for row in chosen]) for column, name in enumerate(names)}
    return {name: value for name, value in found.items() if value is not None}
