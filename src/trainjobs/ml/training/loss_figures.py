"""The losses of a whole training, from what the trainer logged."""

from collections.abc import Mapping, Sequence
from typing import Any

from trainjobs.ml.training.callbacks.log_lines import mean_loss
from trainjobs.ml.training.steps import Steps


def loss_figures(history: Sequence[Mapping[str, Any]], steps: Steps, done: int) -> dict[str, Any]:
    """Return the loss fields of `TrainingStats` from a trainer's log history."""
    losses = [float(entry["loss"]) for entry in history if "loss" in entry]
    epochs = [
        mean_loss(history, epoch * steps.per_epoch, (epoch + 1) * steps.per_epoch)
        for epoch in range(done // steps.per_epoch)
    ]
    return {
        "average_loss": mean_loss(history, 0, done),
        "best_loss": min(losses, default=None),
        "last_loss": losses[-1] if losses else None,
        "loss_per_epoch": [loss for loss in epochs if loss is not None],
    }
