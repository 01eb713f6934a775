"""A run that asked for it is tried again with half the batch after running out of memory."""

from typing import Final

from trainjobs.api.conditions import Reason
from trainjobs.api.runs import Run
from trainjobs.core.recipe.presets import with_preset
from trainjobs.core.recipe.resolve import halved

_OUT_OF_MEMORY: Final = frozenset({Reason.ACCELERATOR_OUT_OF_MEMORY, Reason.HOST_OUT_OF_MEMORY})


def halves_batch(run: Run, reason: Reason) -> bool:
    """Whether the next attempt is to have half the batch per device.

    So it is with `onOutOfMemory: HalveBatch`, as long as there is more than one row to halve.
    """
    if reason not in _OUT_OF_MEMORY or run.spec.run_policy.on_out_of_memory != "HalveBatch":
        return False
    batch = with_preset(run.spec.training).batch_size_per_device or 1
    for _ in range(run.status.batch_halvings):
        batch = halved(batch)
    return batch > 1
