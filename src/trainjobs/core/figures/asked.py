"""Whether the figures that a run asks for by name are measured: at the end it is too late."""

from collections.abc import Iterator, Sequence

from trainjobs.api.problems import closest
from trainjobs.api.runs import RewardModelRun, Run
from trainjobs.core.figures.scores import evaluated, validated


def unmeasured(run: Run) -> Iterator[tuple[str, str]]:
    """Yield the field of every figure that this run's training does not measure, and what is wrong with it.

    A script of the user's own measures what it likes.
    """
    regression = run.spec.objective.regression if isinstance(run, RewardModelRun) else None
    if run.spec.runtime.command or regression is None:
        return
    dimensions = [dimension.name for dimension in regression.dimensions]
    metric, known = run.spec.checkpoints.keep_best.metric, validated(dimensions)
    if metric not in known:
        yield "spec.checkpoints.keepBest.metric", _unknown(metric, known)
    known = evaluated(dimensions)
    for index, threshold in enumerate(run.spec.evaluation.thresholds):
        if threshold.metric not in known:
            yield f"spec.evaluation.thresholds[{index}].metric", _unknown(threshold.metric, known)


def _unknown(metric: str, known: Sequence[str]) -> str:
    guess = closest(metric, known)
    meant = f"did you mean {guess}? Measured are" if guess else "measured are"
    return f"{metric} is not measured; {meant} {', '.join(known)}"
