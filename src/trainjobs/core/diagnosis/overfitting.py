"""The model learns its training rows by heart."""

from math import ceil
from typing import Final

from pydantic import JsonValue

from trainjobs.core.diagnosis.curves import EVAL_LOSS, LOSS, Curve
from trainjobs.core.diagnosis.facts import Facts
from trainjobs.core.diagnosis.finding import Finding
from trainjobs.core.diagnosis.still_improving import still_improving

GAP: Final = 0.2
"""Validation loss above training loss by this part of the loss of a model that knows nothing."""
RISE: Final = 0.02
"""Rise of the validation loss since its best, as a part of it, that is more than wavering."""
MORE_DROPOUT: Final = 0.15


def overfitting(facts: Facts) -> Finding | None:
    """Validation loss stands above training loss by more than GAP, and has risen while training loss fell."""
    train, judged = Curve.of(facts.history, LOSS), Curve.of(facts.history, EVAL_LOSS)
    if not len(train) or not len(judged):
        return None
    gap = judged.values[-1] - train.end
    if gap <= GAP * facts.training.loss_scale or still_improving(facts) is not None:
        return None
    best = judged.lowest
    levels = f"training loss {train.end:.4f}, validation loss {judged.values[-1]:.4f}, gap {gap:.2f}"
    before = train.between(0, judged.steps[best])
    rose = judged.values[-1] - judged.values[best] > RISE * abs(judged.values[best])
    if rose and len(before) and train.end < before.end:
        return Finding(
            "Overfitting",
            "Warning",
            f"validation loss rose since step {judged.steps[best]} while training loss fell: {levels}",
            f"the model was best at epoch {judged.epochs[best]:.1f}: train that long, "
            "with more dropout or weight decay, or with more rows",
            _patch(facts, judged.epochs[best]),
        )
    return Finding(
        "GeneralizationGap",
        "Warning",
        f"the model does better on the rows it has seen: {levels}",
        "look at the next validations; if that loss rises, stop earlier or add dropout, weight decay or rows",
        {"spec": {"training": {"earlyStopping": {"patience": 2}}}},
    )


def _patch(facts: Facts, best_epoch: float) -> dict[str, JsonValue]:
    training: dict[str, JsonValue] = {"earlyStopping": {"patience": 2}, "weightDecay": 0.01}
    if facts.training.epochs is not None and ceil(best_epoch) >= 1:
        training["epochs"] = float(min(ceil(best_epoch), facts.training.epochs))
    spec: dict[str, JsonValue] = {"training": training}
    dropout = facts.training.adapter_dropout
    if dropout is not None and dropout < MORE_DROPOUT:
        spec["adapter"] = {"lora": {"dropout": MORE_DROPOUT}}
    return {"spec": spec}
