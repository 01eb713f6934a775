"""Accuracy rises while the loss rises: the model still improves, but is too sure of itself."""

from typing import Final

from trainjobs.core.diagnosis.curves import EVAL_LOSS, Curve, goodness
from trainjobs.core.diagnosis.facts import Facts
from trainjobs.core.diagnosis.finding import Finding

RISE: Final = 0.005
"""Half a point of accuracy or correlation counts as a rise."""
LOSS_RISE: Final = 0.01
"""So does one percent of the validation loss."""


def still_improving(facts: Facts) -> Finding | None:
    """Since the lowest validation loss, loss and accuracy have both risen: let accuracy decide."""
    loss, judged = Curve.of(facts.history, EVAL_LOSS), goodness(facts.history)
    if judged is None or len(loss) < 2:
        return None
    name, curve = judged
    best = loss.lowest
    since = curve.between(loss.steps[best], curve.steps[-1])
    rise = loss.values[-1] - loss.values[best]
    if len(since) < 2 or rise <= LOSS_RISE * abs(loss.values[best]):
        return None
    if since.values[-1] - since.values[0] < RISE:
        return None
    return Finding(
        "StillImproving",
        "Info",
        f"validation loss rose from {loss.values[best]:.4f} to {loss.values[-1]:.4f} since step "
        f"{loss.steps[best]}, while {name} rose from {since.values[0]:.4f} to {since.values[-1]:.4f}",
        f"the order of the texts still gets better: choose the best checkpoint by {name}, not by loss",
        {"spec": {"checkpoints": {"keepBest": {"metric": name}}}},
    )
