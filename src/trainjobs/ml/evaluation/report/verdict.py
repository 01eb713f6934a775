"""The report in one sentence."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from trainjobs.core.diagnosis import Finding
from trainjobs.core.diagnosis.weak_correlation import WEAK
from trainjobs.ml.evaluation.baselines import MEAN
from trainjobs.ml.evaluation.results import DimensionResult, EvaluationResult
from trainjobs.ml.evaluation.run_files import RunFiles
from trainjobs.ml.evaluation.thresholds import missed

Tone = Literal["Good", "Fair", "Poor", "Open"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the model can be used, and why."""

    tone: Tone
    word: str
    sentence: str


def judge(files: RunFiles, findings: Sequence[Finding]) -> Verdict:
    """Say in one sentence what came of the training."""
    if files.failure is not None:
        return Verdict("Poor", "Failed", f"{files.failure.reason}: {files.failure.message}")
    result = files.result
    if result is None:
        return Verdict("Open", "Not evaluated", "No row was held out, so nothing can be said of this model.")
    if message := missed(result.thresholds, list(result.metrics)):
        return Verdict("Poor", "Threshold missed", message.removeprefix("evaluation.thresholds: ") + ".")
    critical = [finding for finding in findings if finding.severity == "Critical"]
    if critical:
        return Verdict("Poor", "Not usable", critical[0].message[:1].upper() + critical[0].message[1:] + ".")
    sentence = _sentence(result)
    codes = {finding.code for finding in findings if finding.severity == "Warning"}
    pearson = result.overall.figures["pearson"].value
    if pearson is None or pearson < WEAK or codes & {"WeakCorrelation", "HighError"}:
        return Verdict("Fair", "Use with care", sentence)
    return Verdict("Good", "Usable", sentence)


def _sentence(result: EvaluationResult) -> str:
    rows = f"{result.data.rows:,} rows it has not seen"
    if result.data.split == "eval":
        rows = f"the {result.data.rows:,} validation rows, which also chose the checkpoint"
    sentence = f"On {rows}, {_correlation(result.overall)}, and {_error(result.overall)}."
    return f"{sentence} {_weakest(result)}".strip()


def _weakest(result: EvaluationResult) -> str:
    """Which dimension follows the annotators least, where there are several."""
    if len(result.dimensions) < 2:
        return ""
    one = min(result.dimensions, key=lambda each: _pearson(each, missing=-2.0))
    if one.figures["pearson"].value is None:
        return f"The weakest dimension is {one.name}, without any correlation."
    return f"The weakest dimension is {one.name}, with a correlation of {_pearson(one, missing=0.0):.2f}."


def _pearson(one: DimensionResult, *, missing: float) -> float:
    value = one.figures["pearson"].value
    return missing if value is None else value


def _correlation(overall: DimensionResult) -> str:
    figure = overall.figures["pearson"]
    if figure.value is None:
        return f"its scores have no correlation with the annotators' ({figure.reason})"
    interval = f" ({figure.low:.2f} to {figure.high:.2f})" if figure.low is not None else ""
    return f"its scores correlate with the annotators' by {figure.value:.2f}{interval}"


def _error(overall: DimensionResult) -> str:
    mae = overall.figures["mae"].value or 0.0
    text = f"they are off by {mae:.2f} on a scale from {overall.minimum:g} to {overall.maximum:g}"
    baseline = overall.baselines.get(MEAN, {}).get("mae")
    if baseline is None or not baseline.value:
        return text
    change = 1.0 - mae / baseline.value
    compared = "less" if change >= 0 else "more"
    return f"{text}: {abs(change):.0%} {compared} than always predicting the mean"
