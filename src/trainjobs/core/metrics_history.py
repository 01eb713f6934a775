"""The history of a training: one record per log line, as `metrics.jsonl` holds it."""

from collections.abc import Iterable
from datetime import datetime

from pydantic import Field

from trainjobs.api.base import Section
from trainjobs.api.exchanged import Exchanged


class MetricRecord(Section, Exchanged):
    """What was measured at one step. Validation figures carry the prefix `eval_`."""

    step: int = Field(ge=0)
    epoch: float = Field(ge=0.0)
    time: datetime
    attempt: int = 1
    resumed_from: int | None = None
    """On the first record of an attempt that went on from a checkpoint: that checkpoint's step."""
    metrics: dict[str, float]


def beginnings(history: Iterable[MetricRecord]) -> dict[int, int]:
    """Return attempt → the step that it went on from, or of its first record where that is not known."""
    steps: dict[int, int] = {}
    for record in history:
        steps.setdefault(record.attempt, record.step if record.resumed_from is None else record.resumed_from)
    return steps
