"""An evaluation of scores → what the rules of diagnosis look at."""

from trainjobs.core.diagnosis import DimensionFacts, EvaluationFacts, ScoresFacts
from trainjobs.ml.evaluation.baselines import MEAN
from trainjobs.ml.evaluation.figures import Figure
from trainjobs.ml.evaluation.results import DimensionDetails, EvaluationResult
from trainjobs.ml.evaluation.run_files import RunFiles


def scores_facts(files: RunFiles, result: EvaluationResult) -> EvaluationFacts:
    """Return what was found of every dimension and of the overall score."""
    details = result.details
    means = {name: line.mean for name, line in files.baselines.dimensions.items()} if files.baselines else {}
    dimensions = [_dimension(result, one, means.get(one.name)) for one in details.dimensions]
    overall = _dimension(result, details.overall, None) if len(dimensions) > 1 else dimensions[0]
    scores = ScoresFacts(dimensions=dimensions, overall=overall)
    return EvaluationFacts(rows=result.data.rows, repeated=result.data.repeated, scores=scores)


def loss_scale(files: RunFiles, result: EvaluationResult) -> float:
    """Return the loss of predicting the mean, in the unit of the curves; 1 where scores are standardised."""
    recipe = files.recipe
    regression = recipe.objective.regression if recipe and recipe.objective else None
    if regression is None or regression.normalization == "Standard":
        return 1.0
    name = "mae" if regression.loss == "MAE" else "mse"
    losses, weights = [], []
    for dimension in result.details.dimensions:
        figure = _of_mean(result, dimension.name, name)
        if figure is None or not figure.value:
            return 1.0
        width = dimension.maximum - dimension.minimum if regression.normalization == "Range" else 1.0
        weights.append(dimension.weight or 1.0)
        losses.append(figure.value / (width if name == "mae" else width**2))
    return sum(loss * weight for loss, weight in zip(losses, weights, strict=True)) / sum(weights)


def _of_mean(result: EvaluationResult, name: str, figure: str) -> Figure | None:
    return result.group(name).compared.get(MEAN, {}).get(figure)


def _dimension(result: EvaluationResult, one: DimensionDetails, train_mean: float | None) -> DimensionFacts:
    figures = result.group(one.name).figures
    pearson, mae = figures["pearson"], figures["mae"]
    baseline = _of_mean(result, one.name, "mae")
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
