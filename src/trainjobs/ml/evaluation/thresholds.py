"""Whether the figures asked for were reached."""

from collections.abc import Mapping, Sequence

from trainjobs.api.evaluation import Threshold
from trainjobs.errors import InvalidRecipe
from trainjobs.ml.evaluation.figures import FIGURES
from trainjobs.ml.evaluation.results import ThresholdResult


def check_thresholds(thresholds: Sequence[Threshold], dimensions: Sequence[str], *, held_out: bool) -> None:
    """Refuse what could not be judged, before anything is trained. InvalidRecipe names the first.

    Args:
        thresholds: what is asked for.
        dimensions: names of the scores.
        held_out: whether there are rows to judge the model on.
    """
    if thresholds and not held_out:
        raise InvalidRecipe("spec.evaluation.thresholds: no row is held out; give spec.dataset.test")
    known = [f"{scores}.{figure}" for scores in ("overall", *dimensions) for figure in FIGURES]
    for index, threshold in enumerate(thresholds):
        if threshold.metric not in known:
            raise InvalidRecipe(
                f"spec.evaluation.thresholds[{index}].metric: {threshold.metric} is not measured;"
                f" known are {', '.join(known)}"
            )


def judge(thresholds: Sequence[Threshold], metrics: Mapping[str, float]) -> list[ThresholdResult]:
    """Hold each threshold against its figure; a figure that does not exist does not pass."""
    results = []
    for threshold in thresholds:
        value = metrics.get(threshold.metric)
        results.append(
            ThresholdResult(
                metric=threshold.metric,
                minimum=threshold.minimum,
                maximum=threshold.maximum,
                value=value,
                passed=value is not None and _within(value, threshold),
            )
        )
    return results


def missed(results: Sequence[ThresholdResult], known: Sequence[str]) -> str | None:
    """One line that names every figure that missed its threshold, or None.

    Args:
        results: the thresholds as judged.
        known: names of the figures that exist, for a threshold on one that does not.
    """
    parts = [_sentence(result, known) for result in results if not result.passed]
    return "evaluation.thresholds: " + "; ".join(parts) if parts else None


def _within(value: float, threshold: Threshold) -> bool:
    above = threshold.minimum is None or value >= threshold.minimum
    return above and (threshold.maximum is None or value <= threshold.maximum)


def _sentence(result: ThresholdResult, known: Sequence[str]) -> str:
    if result.value is None:
        return f"{result.metric} does not exist; there are {', '.join(sorted(known))}"
    if result.minimum is not None and result.value < result.minimum:
        return f"{result.metric} is {result.value:.4g}, below the minimum {result.minimum:g}"
    return f"{result.metric} is {result.value:.4g}, above the maximum {result.maximum:g}"
