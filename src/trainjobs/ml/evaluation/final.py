"""The end of a training run: evaluate the trained model, write the results, hold it to its thresholds."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import numpy as np
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from trainjobs.core import outputs
from trainjobs.core.recipe.model import Inputs, Recipe
from trainjobs.errors import InvalidRecipe
from trainjobs.ml.data.scored import ScoredRow, ScoredRows
from trainjobs.ml.data.splits import Split, assign, place
from trainjobs.ml.evaluation.baselines import BASELINES_FILE
from trainjobs.ml.evaluation.judging import evaluate
from trainjobs.ml.evaluation.report.render import write_report
from trainjobs.ml.evaluation.results import EvaluatedData, write_predictions, write_result, write_text
from trainjobs.ml.evaluation.running import Predictor, fit_baselines
from trainjobs.ml.evaluation.thresholds import Judgement, missed
from trainjobs.ml.modeling.scoring_config import ScoringConfig


def evaluate_and_report(
    recipe: Recipe,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    scoring_config: ScoringConfig,
    output: Path,
    split: Split | None,
    *,
    learned: Collection[bytes],
) -> Judgement:
    """Judge the model on the test rows, or on the validation rows where there are none, and write the report.

    `split` is the one that the model was trained by.

    Writes evaluation.json, predictions.jsonl, report.md and report.html into `output`, and the
    baselines into its model folder. Without any held-out row it writes the report alone.

    Args:
        recipe: of the run, its inputs filled in.
        model, tokenizer, scoring_config: the trained model.
        output: the run's output folder.
        learned: digests of the texts that the model learned from (`trainjobs.ml.data.repeats`).

    Returns:
        Every figure by its name (`overall.pearson`), and which of `evaluation.thresholds` were missed.

    Raises:
        InvalidData: a row cannot be read or does not fit.
    """
    held_out = _held_out(recipe, scoring_config, split)
    if held_out is None:
        write_report(output)
        return Judgement({}, "")
    baselines = fit_baselines(held_out.train, scoring_config)
    predictor = Predictor(
        model, tokenizer, scoring_config, batch_size=recipe.training.eval_batch_size_per_device or 8
    )
    predicted = predictor.run(held_out.rows, recipe.dataset.overlong, learned=learned)
    result = evaluate(
        predicted.judged,
        scoring_config.dimensions,
        settings=recipe.evaluation,
        seed=recipe.training.seed,
        data=EvaluatedData(
            split=held_out.split,
            path=held_out.uri,
            files=held_out.source.hashes,
            rows=len(predicted.rows),
            truncated=predicted.truncated,
            truncated_tokens=predicted.truncated_tokens,
            dropped=predicted.dropped,
            repeated=predicted.repeated,
        ),
        model=recipe.model.uri,
        baselines=baselines,
        now=datetime.now(UTC),
    )
    write_predictions(output / outputs.PREDICTIONS, predicted.rows)
    write_result(output / outputs.EVALUATION, result)
    if (output / outputs.MODEL).is_dir():
        write_text(output / outputs.MODEL / BASELINES_FILE, baselines.model_dump_json(indent=2) + "\n")
    write_report(output)
    return Judgement(result.metrics, missed(result.thresholds, list(result.metrics)) or "")


@dataclass(frozen=True, slots=True)
class _HeldOut:
    """The rows that are judged, and those that were learned from."""

    split: Literal["test", "eval"]
    uri: str
    source: ScoredRows
    rows: Iterable[ScoredRow]
    train: Iterable[ScoredRow]


def _held_out(recipe: Recipe, config: ScoringConfig, split: Split | None) -> _HeldOut | None:
    if recipe.inputs is None:
        raise InvalidRecipe("inputs: missing; the agent fills them in before training starts")
    inputs, dataset = recipe.inputs, recipe.dataset
    source = ScoredRows(Path(inputs.train), dataset, config.dimensions, columns=config.columns)
    rows = list(source)
    seed = split.seed if split else recipe.training.seed
    places = np.array([place(row.text, seed) for row in rows], dtype=np.uint64)
    train, aside = assign(places, split)
    learned = [rows[index] for index in train]
    if (given := _given(inputs, recipe)) is not None:
        kind, path, uri = given
        source = ScoredRows(Path(path), dataset, config.dimensions, columns=config.columns)
        return _HeldOut(kind, uri, source, source, learned)
    if aside is None:
        return None
    return _HeldOut("eval", dataset.train, source, [rows[index] for index in aside], learned)


def _given(inputs: Inputs, recipe: Recipe) -> tuple[Literal["test", "eval"], str, str] | None:
    if inputs.test is not None:
        return "test", inputs.test, recipe.dataset.test or inputs.test
    if inputs.eval is not None:
        return "eval", inputs.eval, recipe.dataset.eval or inputs.eval
    return None
