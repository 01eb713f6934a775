"""The history of a training: one record per log line, as `metrics.jsonl` holds it."""

from datetime import datetime

from pydantic import Field

from trainjobs.api.base import Section


class MetricRecord(Section):
    """What was measured at one step. Validation figures carry the prefix `eval_`."""

    step: int = Field(ge=0)
    epoch: float = Field(ge=0.0)
    time: datetime
    attempt: int = 1
    metrics: dict[str, float]
