"""How many optimiser steps a training takes, and at which of them something is due. Pure."""

import math
from dataclasses import dataclass

from trainjobs.core.recipe.model import Recipe


@dataclass(frozen=True, slots=True)
class Steps:
    """The plan of a training in optimiser steps, counted from 1."""

    per_epoch: int
    total: int
    log_every: int
    eval_every: int
    save_every: int

    def log_due(self, step: int) -> bool:
        """Whether figures are logged after `step`.

        Always when something is saved, too: then the means that are logged cover the same steps in a
        resumed run as in an uninterrupted one.
        """
        due = step == 1 or step % self.log_every == 0 or step % self.per_epoch == 0
        return due or self.eval_due(step) or self.save_due(step)

    def eval_due(self, step: int) -> bool:
        """Whether the model is validated after `step`."""
        return step % self.eval_every == 0 or step >= self.total

    def save_due(self, step: int) -> bool:
        """Whether a checkpoint is saved after `step`."""
        return step % self.save_every == 0 or step >= self.total

    def epoch_done(self, step: int) -> int | None:
        """Return the number (from 1) of the epoch that ends with `step`, if one does."""
        return step // self.per_epoch if step % self.per_epoch == 0 else None


def plan_steps(recipe: Recipe, rows: int) -> Steps:
    """Plan the training of `rows` rows; what is not given is due once per epoch."""
    training = recipe.training
    per_pass = (training.batch_size_per_device or 1) * recipe.processes.world_size
    passes = math.ceil(rows / per_pass)
    per_epoch = math.ceil(passes / (training.gradient_accumulation_steps or 1))
    total = training.max_steps or math.ceil((training.epochs or 1.0) * per_epoch)
    return Steps(
        per_epoch=per_epoch,
        total=total,
        log_every=training.log_every_steps,
        eval_every=training.eval_every_steps or per_epoch,
        save_every=recipe.checkpoints.save_every_steps or per_epoch,
    )
