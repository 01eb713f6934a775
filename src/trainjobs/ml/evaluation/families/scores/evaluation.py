"""Predictions and true scores → every figure of an evaluation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from trainjobs.api.evaluation import Evaluation
from trainjobs.api.figures import OVERALL
from trainjobs.api.objective import ScoreDimension
from trainjobs.ml.evaluation.baselines import Baselines
from trainjobs.ml.evaluation.bootstrap import figures_with_intervals
from trainjobs.ml.evaluation.figures import Figure, Matrix, Vector
from trainjobs.ml.evaluation.overall import OverallScale
from trainjobs.ml.evaluation.raters import agreement
from trainjobs.ml.evaluation.results import (
    ANNOTATOR,
    DimensionDetails,
    EvaluatedData,
    EvaluationResult,
    Group,
    Interval,
    ScoresDetails,
    Spread,
)
from trainjobs.ml.evaluation.thresholds import judge

MODEL = "model"


@dataclass(frozen=True, slots=True)
class Judged:
    """The rows of an evaluation, in the order of their file, scores in the scale of the rows."""

    true: Matrix
    """Mean of the annotators, shape [rows, dimensions]."""
    predicted: Matrix
    """Shape [rows, dimensions]."""
    ratings: Sequence[Matrix]
    """Every annotator's scores, per row shape [annotators, dimensions]."""
    lengths: Vector
    """Characters of each joined text, shape [rows]."""


def evaluate(
    rows: Judged,
    dimensions: Sequence[ScoreDimension],
    *,
    settings: Evaluation,
    seed: int,
    data: EvaluatedData,
    model: str,
    baselines: Baselines | None,
    task: str = "Regression",
    now: datetime,
) -> EvaluationResult:
    """Every figure of every dimension and of the overall score.

    Args:
        rows: at least one row.
        dimensions: in the order of the columns.
        settings: resamples, coverage, thresholds.
        seed: of the resampling.
        data: what `rows` were read from.
        model: where the model is.
        task: what the model was trained for.
        baselines: fitted on the training rows; None where these are not known.
        now: when this is.
    """
    scale = OverallScale.of(dimensions)
    names = [dimension.name for dimension in dimensions]
    guesses = {MODEL: rows.predicted}
    if baselines is not None:
        guesses |= baselines.predict(names, rows.lengths)
    columns = [OVERALL, *names]
    true = _with_overall(rows.true, scale)
    predicted = {who: _with_overall(scores, scale) for who, scores in guesses.items()}
    figures = figures_with_intervals(
        {
            f"{who} {column}": (true[:, index], scores[:, index])
            for who, scores in predicted.items()
            for index, column in enumerate(columns)
        },
        samples=settings.bootstrap_samples,
        confidence=settings.confidence,
        seed=seed,
    )
    ratings = [_with_overall(row, scale) for row in rows.ratings]
    overall = ScoreDimension(name=OVERALL, minimum=scale.minimum, maximum=scale.maximum)
    details = [
        DimensionDetails(
            name=dimension.name,
            minimum=dimension.minimum,
            maximum=dimension.maximum,
            weight=dimension.weight if index else None,
            raters=agreement([row[:, index] for row in ratings]),
            true=_spread(true[:, index]),
            predicted=_spread(predicted[MODEL][:, index]),
        )
        for index, dimension in enumerate([overall, *dimensions])
    ]
    groups = [_group(one, len(true), figures, list(guesses)) for one in details]
    metrics = _metrics({group.name: group.figures for group in groups})
    return EvaluationResult(
        task=task,
        created=now,
        model=model,
        data=data,
        train_rows=baselines.rows if baselines else None,
        interval=Interval(confidence=settings.confidence, samples=settings.bootstrap_samples, seed=seed),
        # The overall score says the same as the only dimension.
        groups=groups if len(dimensions) > 1 else groups[1:],
        thresholds=judge(settings.thresholds, metrics),
        metrics=metrics,
        details=ScoresDetails(overall=details[0], dimensions=details[1:]),
    )


def _group(
    one: DimensionDetails, rows: int, figures: Mapping[str, dict[str, Figure]], guesses: Sequence[str]
) -> Group:
    compared = {who: figures[f"{who} {one.name}"] for who in guesses if who != MODEL}
    if one.raters is not None:
        compared[ANNOTATOR] = one.raters.figures
    return Group(name=one.name, rows=rows, figures=figures[f"{MODEL} {one.name}"], compared=compared)


def _with_overall(scores: Matrix, scale: OverallScale) -> Matrix:
    """Scores with the overall score as a column before the others, shape [rows, 1 + dimensions]."""
    return np.concatenate([scale.overall(scores)[:, None], scores], axis=1)


def _spread(values: Vector) -> Spread:
    return Spread(
        mean=float(values.mean()),
        deviation=float(values.std()),
        minimum=float(values.min()),
        maximum=float(values.max()),
    )


def _metrics(figures: dict[str, dict[str, Figure]]) -> dict[str, float]:
    return {
        f"{column}.{name}": figure.value
        for column, those in figures.items()
        for name, figure in those.items()
        if figure.value is not None
    }
