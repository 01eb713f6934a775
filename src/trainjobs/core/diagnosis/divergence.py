"""The loss runs away."""

from typing import Final

from pydantic import JsonValue

from trainjobs.core.diagnosis.curves import LOSS, Curve
from trainjobs.core.diagnosis.facts import Facts
from trainjobs.core.diagnosis.finding import Finding
from trainjobs.core.diagnosis.plateau import rounded

FEWEST_POINTS: Final = 5
RUNAWAY: Final = 1.5
"""Training loss at the end above its start by this factor."""
SLOWER: Final = 3.0
"""How much lower a rate is advised."""


def divergence(facts: Facts) -> Finding | None:
    """Training ended in NaN, or its loss ended far above where it began."""
    train = Curve.of(facts.history, LOSS)
    if facts.training.diverged:
        message = "loss or gradient became NaN or infinite"
        if len(train):
            message += f"; the last loss was {train.values[-1]:.4g} at step {train.steps[-1]}"
    elif len(train) >= FEWEST_POINTS and train.end > RUNAWAY * abs(train.start):
        message = f"training loss rose from {train.start:.4f} to {train.end:.4f}"
    else:
        return None
    return Finding(
        "Divergence",
        "Critical",
        message,
        "lower the learning rate, warm up, keep gradients clipped, and look at the rows around that step",
        {"spec": {"training": _calmer(facts)}},
    )


def _calmer(facts: Facts) -> dict[str, JsonValue]:
    calmer: dict[str, JsonValue] = {"warmupRatio": 0.1}
    if facts.training.learning_rate is not None:
        calmer["learningRate"] = rounded(facts.training.learning_rate / SLOWER)
    if not facts.training.max_grad_norm or facts.training.max_grad_norm > 1.0:
        calmer["maxGradNorm"] = 1.0
    if facts.training.precision == "FP16":
        calmer["precision"] = "BF16"
    return calmer
