"""The end of a training run: judge the trained model, write the results, hold it to its thresholds."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from transformers import PreTrainedModel

from trainjobs.core import outputs
from trainjobs.core.recipe.model import Recipe
from trainjobs.ml.data.repeats import repeats
from trainjobs.ml.data.sides import HeldOut, Sides
from trainjobs.ml.evaluation.baselines import BASELINES_FILE, Baselines
from trainjobs.ml.evaluation.families.scores.evaluation import evaluate
from trainjobs.ml.evaluation.predictions import Predictor, evaluated, fit_baselines, predicted_rows
from trainjobs.ml.evaluation.report.render import write_report
from trainjobs.ml.evaluation.results import (
    EvaluationResult,
    PredictedRow,
    write_predictions,
    write_result,
    write_text,
)
from trainjobs.ml.evaluation.thresholds import Judgement, missed
from trainjobs.ml.modeling.cards import RegressionCard


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is known of a trained model in the end."""

    result: EvaluationResult
    rows: list[PredictedRow]
    baselines: Baselines


def judge_scores(
    recipe: Recipe, model: PreTrainedModel, config: RegressionCard, data: Sides, held_out: HeldOut
) -> Verdict:
    """Judge what a model says of rows that were held out, against what it learned from."""
    baselines = fit_baselines(data.train, config)
    predictor = Predictor(model, config, batch_size=recipe.training.eval_batch_size_per_device or 8)
    rows = held_out.rows
    judged = predictor.run(rows)
    result = evaluate(
        judged,
        config.dimensions,
        settings=recipe.evaluation,
        seed=recipe.training.seed,
        data=evaluated(
            held_out.kind,
            held_out.uri,
            held_out.files,
            rows,
            repeated=repeats(rows.digests(), data.learned),
        ),
        model=recipe.model.uri,
        baselines=baselines,
        now=datetime.now(UTC),
    )
    return Verdict(result, predicted_rows(rows, judged, config), baselines)


def leave(output: Path, verdict: Verdict | None) -> Judgement:
    """Write evaluation.json, predictions.jsonl, report.md and report.html into a run's output folder.

    The baselines go into its model folder. Without any held-out row it writes the report alone.

    Returns:
        Every figure by its name (`overall.pearson`), and which of `evaluation.thresholds` were missed.
    """
    if verdict is None:
        write_report(output)
        return Judgement({}, "")
    result = verdict.result
    write_predictions(output / outputs.PREDICTIONS, verdict.rows)
    write_result(output / outputs.EVALUATION, result)
    if (output / outputs.MODEL).is_dir():
        text = verdict.baselines.model_dump_json(indent=2) + "\n"
        write_text(output / outputs.MODEL / BASELINES_FILE, text)
    write_report(output)
    return Judgement(result.metrics, missed(result.thresholds, list(result.metrics)) or "")
