"""A run's files → what the rules of diagnosis look at."""

from pydantic import JsonValue

from trainjobs.core.diagnosis import DimensionFacts, EvaluationFacts, Facts, TimeFacts, TrainingFacts
from trainjobs.core.recipe.model import Recipe
from trainjobs.errors import Diverged
from trainjobs.ml.evaluation.baselines import MEAN
from trainjobs.ml.evaluation.results import DimensionResult, EvaluationResult
from trainjobs.ml.evaluation.run_files import RunFiles


def facts_of(files: RunFiles) -> Facts:
    """Everything that the files say of the training."""
    return Facts(
        history=files.history,
        training=_training(files),
        evaluation=_evaluation(files) if files.result else None,
        time=_time(files),
    )


def _training(files: RunFiles) -> TrainingFacts:
    rows = files.result.train_rows if files.result else _whole(files.stats.get("trainRows"))
    diverged = files.failure is not None and files.failure.reason == Diverged.reason
    recipe = files.recipe
    if recipe is None:
        return TrainingFacts(train_rows=rows, diverged=diverged)
    training = recipe.training
    adapter = recipe.adapter
    return TrainingFacts(
        epochs=training.epochs,
        max_steps=training.max_steps,
        learning_rate=training.learning_rate,
        max_grad_norm=training.max_grad_norm,
        precision=training.precision,
        data_workers=training.data_workers,
        adapter_dropout=None if adapter.type == "None" else (adapter.lora.dropout if adapter.lora else 0.05),
        early_stopping=training.early_stopping is not None,
        save_every_steps=recipe.checkpoints.save_every_steps,
        best_metric=recipe.checkpoints.keep_best.metric,
        train_rows=rows,
        loss_scale=_loss_scale(recipe, files.result),
        diverged=diverged,
    )


def _loss_scale(recipe: Recipe, result: EvaluationResult | None) -> float:
    """Loss of predicting the mean, in the unit of the curves; 1 where scores are standardised."""
    regression = recipe.objective.regression if recipe.objective else None
    if regression is None or result is None or regression.normalization == "Standard":
        return 1.0
    name = "mae" if regression.loss == "MAE" else "mse"
    losses, weights = [], []
    for dimension in result.dimensions:
        figure = dimension.baselines.get(MEAN, {}).get(name)
        if figure is None or not figure.value:
            return 1.0
        width = dimension.maximum - dimension.minimum if regression.normalization == "Range" else 1.0
        weights.append(dimension.weight or 1.0)
        losses.append(figure.value / (width if name == "mae" else width**2))
    return sum(loss * weight for loss, weight in zip(losses, weights, strict=True)) / sum(weights)


def _evaluation(files: RunFiles) -> EvaluationFacts:
    result = files.result
    assert result is not None
    means = {name: line.mean for name, line in files.baselines.dimensions.items()} if files.baselines else {}
    return EvaluationFacts(
        rows=result.data.rows,
        dimensions=[_dimension(one, means.get(one.name)) for one in result.dimensions],
        overall=_dimension(result.overall, None),
        repeated=result.data.repeated,
    )


def _dimension(one: DimensionResult, train_mean: float | None) -> DimensionFacts:
    pearson, mae = one.figures["pearson"], one.figures["mae"]
    baseline = one.baselines.get(MEAN, {}).get("mae")
    has_interval = pearson.low is not None and pearson.high is not None
    return DimensionFacts(
        name=one.name,
        minimum=one.minimum,
        maximum=one.maximum,
        mae=mae.value or 0.0,
        pearson=pearson.value,
        true_mean=one.true.mean,
        true_deviation=one.true.deviation,
        predicted_deviation=one.predicted.deviation,
        pearson_interval=(pearson.low or 0.0, pearson.high or 0.0) if has_interval else None,
        mean_baseline_mae=baseline.value if baseline else None,
        train_mean=train_mean,
        ceiling=one.raters.ceiling if one.raters else None,
    )


def _time(files: RunFiles) -> TimeFacts | None:
    seconds = _number(files.stats.get("seconds"))
    if not seconds:
        return None
    return TimeFacts(
        training=seconds,
        data=_number(files.stats.get("dataSeconds")),
        checkpoints=_number(files.stats.get("blockedSeconds")),
    )


def _whole(value: JsonValue) -> int | None:
    return int(value) if isinstance(value, int) else None


def _number(value: JsonValue) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
