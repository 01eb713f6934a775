"""Training stands still for its checkpoints."""

from typing import Final

from trainjobs.core.diagnosis.facts import Facts
from trainjobs.core.diagnosis.finding import Finding, Patch

STALLED: Final = 0.01
"""Part of the training time that checkpoints may take."""


def checkpoint_stalls(facts: Facts) -> Finding | None:
    """Saving blocked training for more than STALLED of its time."""
    if facts.time is None or facts.time.checkpoints is None or facts.time.training <= 0:
        return None
    share = facts.time.checkpoints / facts.time.training
    if share <= STALLED:
        return None
    every = facts.training.save_every_steps
    patch: Patch | None = {"spec": {"checkpoints": {"saveEverySteps": 2 * every}}} if every else None
    return Finding(
        "CheckpointStalls",
        "Warning",
        f"training stood still for checkpoints for {share:.1%} of its time ({facts.time.checkpoints:.1f} s)",
        "save less often, or onto a faster disk",
        patch,
    )
