"""Whether the figures asked for were reached."""

from collections.abc import Mapping, Sequence

from trainjobs.api.evaluation import Threshold
from trainjobs.ml.evaluation.results import ThresholdResult


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
