"""Training waits for its batches."""

from typing import Final

from trainjobs.core.diagnosis.facts import Facts
from trainjobs.core.diagnosis.finding import Finding

WAITING: Final = 0.1
"""Part of the training time spent waiting for batches."""


def slow_data(facts: Facts) -> Finding | None:
    """More than WAITING of the time went into preparing batches."""
    if facts.time is None or facts.time.data is None or facts.time.training <= 0:
        return None
    share = facts.time.data / facts.time.training
    if share <= WAITING:
        return None
    workers = max(2, 2 * (facts.training.data_workers or 0))
    return Finding(
        "SlowData",
        "Warning",
        f"{share:.0%} of the training time went into waiting for batches",
        "prepare batches in processes beside the training",
        {"spec": {"training": {"dataWorkers": workers}}},
    )
