"""Whether the figures asked for were reached."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from trainjobs.api.evaluation import Threshold
from trainjobs.ml.evaluation.results import ThresholdResult


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the final evaluation came to."""

    metrics: dict[str, float]
    missed: str
    """One line that names every figure below its threshold; empty where all were reached."""


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


def limits(result: ThresholdResult) -> str:
    """What was asked for: `at least 0.7 and at most 0.99`."""
    asked = [f"at least {result.minimum:.15g}"] if result.minimum is not None else []
    asked += [f"at most {result.maximum:.15g}"] if result.maximum is not None else []
    return " and ".join(asked)


def outcome(result: ThresholdResult) -> str:
    """What came of it: `passed`, or `missed by 0.0312`."""
    if result.passed:
        return "passed"
    distance = _beyond(result)
    return "missed" if distance is None else f"missed by {distance:.3g}"


def _beyond(result: ThresholdResult) -> float | None:
    """How far the figure is from where it should be; None where it does not exist."""
    if result.value is None:
        return None
    below = 0.0 if result.minimum is None else result.minimum - result.value
    above = 0.0 if result.maximum is None else result.value - result.maximum
    return max(below, above)


def _sentence(result: ThresholdResult, known: Sequence[str]) -> str:
    distance = _beyond(result)
    if result.value is None or distance is None:
        return f"{result.metric} does not exist; there are {', '.join(sorted(known))}"
    side, bound = "below", result.minimum
    if result.minimum is None or result.value >= result.minimum:
        side, bound = "above", result.maximum
    named = "minimum" if side == "below" else "maximum"
    value = apart(result.value, bound)
    return f"{result.metric} is {value}, {distance:.3g} {side} the {named} {bound:.15g}"


def apart(value: float, bound: float | None) -> str:
    """`value` with four digits, or as many as it takes to stay on its side of `bound`."""
    texts = [f"{value:.{digits}g}" for digits in range(4, 18)]
    if bound is None:
        return texts[0]
    return next((text for text in texts if _side(float(text), bound) == _side(value, bound)), texts[-1])


def _side(value: float, bound: float) -> int:
    return (value > bound) - (value < bound)
