"""Where an attempt goes on: chosen after its claim, from what it has read back whole, and recorded once.

The record is an object of its own beside the claim, created once, before training begins.
"""

import json
from dataclasses import dataclass
from datetime import datetime

from trainjobs.core.checkpoints.layout import CheckpointRef, resumption_key
from trainjobs.core.checkpoints.reading import Fields
from trainjobs.errors import CorruptCheckpoint

FORMAT = 1


@dataclass(frozen=True, slots=True)
class ExternalCheckpoint:
    """A checkpoint outside the run's own folder, named by its full URI."""

    uri: str


ResumePoint = CheckpointRef | ExternalCheckpoint | None
"""A checkpoint, or step 0."""


@dataclass(frozen=True, slots=True)
class Resumption:
    """From where one attempt goes on."""

    attempt: int
    resume: ResumePoint
    created: datetime

    def __post_init__(self) -> None:
        resumption_key(self.attempt)
        if self.created.tzinfo is None:
            raise ValueError("created has no time zone")

    def to_json(self) -> bytes:
        """Return the record as UTF-8 JSON."""
        body = {
            "format": FORMAT,
            "attempt": self.attempt,
            "resume": _to_json(self.resume),
            "created": self.created.isoformat(),
        }
        return json.dumps(body, indent=1).encode() + b"\n"

    @classmethod
    def from_json(cls, data: bytes, source: str) -> "Resumption":
        """Read a record back; `source` names it in errors.

        Raises:
            CorruptCheckpoint: it is not a whole record of a known format.
        """
        fields = Fields.of_format(FORMAT, data, source)
        try:
            return cls(
                attempt=fields.integer("attempt"),
                resume=_from_json(fields.optional("resume")),
                created=fields.time("created"),
            )
        except ValueError as error:
            raise CorruptCheckpoint(f"{source}: {error}") from error


def _to_json(resume: ResumePoint) -> dict[str, object] | None:
    match resume:
        case CheckpointRef(step=step, attempt=attempt):
            return {"step": step, "attempt": attempt}
        case ExternalCheckpoint(uri=uri):
            return {"uri": uri}
        case None:
            return None


def _from_json(fields: Fields | None) -> ResumePoint:
    if fields is None:
        return None
    if "uri" in fields.values:
        return ExternalCheckpoint(fields.text("uri"))
    return CheckpointRef(fields.integer("step"), fields.integer("attempt"))
