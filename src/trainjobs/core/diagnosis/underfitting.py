"""The model has not been trained for long enough."""

from math import ceil
from typing import Final

from pydantic import JsonValue

from trainjobs.core.diagnosis.curves import EVAL_LOSS, LOSS, Curve
from trainjobs.core.diagnosis.facts import Facts
from trainjobs.core.diagnosis.finding import Finding

MARGIN: Final = 0.02
"""Training loss above validation loss by this part of it."""
FEWEST_EPOCHS: Final = 3
"""What is advised at least."""
MORE: Final = 1.5
"""How much longer to train."""


def underfitting(facts: Facts) -> Finding | None:
    """Training loss lies above validation loss and still falls, or is too short to show otherwise.

    A model that has seen enough does better on the rows it learned than on others. Where it does
    worse, its training loss is an average over a time when it knew less: it is still learning fast.
    """
    train, judged = Curve.of(facts.history, LOSS), Curve.of(facts.history, EVAL_LOSS)
    if not len(train) or not len(judged):
        return None
    excess = train.end - judged.values[-1]
    if excess <= MARGIN * abs(judged.values[-1]) or train.is_falling is False:
        return None
    return Finding(
        "Underfitting",
        "Warning",
        f"training loss {train.end:.4f} lies above validation loss {judged.values[-1]:.4f}"
        + (" and still falls" if train.is_falling else "")
        + ": undertrained, not overfitted",
        "train for more epochs, or with a higher learning rate",
        {"spec": {"training": _longer(facts)}},
    )


def _longer(facts: Facts) -> dict[str, JsonValue]:
    if facts.training.max_steps is not None:
        return {"maxSteps": ceil(facts.training.max_steps * MORE)}
    return {"epochs": float(max(FEWEST_EPOCHS, ceil((facts.training.epochs or 1) * MORE)))}
