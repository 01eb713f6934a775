"""What a node found damaged of the checkpoint that its attempt was to go on from: told to those that choose.

Node 0 chooses for all and reads its own files alone, so what another node cannot read it learns from here.
A finding is one machine's word, which may itself be at fault: it puts a checkpoint last, and deletes nothing.
"""

import json
from dataclasses import dataclass
from datetime import datetime

from trainjobs.core.checkpoints.layout import CheckpointRef, finding_key
from trainjobs.core.checkpoints.reading import Fields
from trainjobs.errors import CorruptCheckpoint

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Finding:
    """One node of one attempt could not read a checkpoint."""

    attempt: int
    node: int
    checkpoint: CheckpointRef
    problem: str
    created: datetime

    def __post_init__(self) -> None:
        finding_key(self.attempt, self.node)
        if self.created.tzinfo is None:
            raise ValueError("created has no time zone")

    def to_json(self) -> bytes:
        """Return the finding as UTF-8 JSON."""
        body = {
            "format": FORMAT,
            "attempt": self.attempt,
            "node": self.node,
            "checkpoint": {"step": self.checkpoint.step, "attempt": self.checkpoint.attempt},
            "problem": self.problem,
            "created": self.created.isoformat(),
        }
        return json.dumps(body, indent=1).encode() + b"\n"

    @classmethod
    def from_json(cls, data: bytes, source: str) -> "Finding":
        """Read a finding back; `source` names it in errors.

        Raises:
            CorruptCheckpoint: it is not a whole finding of a known format.
        """
        fields = Fields.of_format(FORMAT, data, source)
        checkpoint = fields.optional("checkpoint")
        if checkpoint is None:
            raise fields.error("field checkpoint is missing")
        try:
            return cls(
                attempt=fields.integer("attempt"),
                node=fields.integer("node"),
                checkpoint=CheckpointRef(checkpoint.integer("step"), checkpoint.integer("attempt")),
                problem=fields.text("problem"),
                created=fields.time("created"),
            )
        except ValueError as error:
            raise CorruptCheckpoint(f"{source}: {error}") from error
