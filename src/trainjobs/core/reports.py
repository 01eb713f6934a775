"""What the agents of a run tell: heartbeats while they work, one final record when they end.

The same records travel to the operator's status server in a cluster, and to the local
program on one machine.
"""

from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import Field

from trainjobs.api.base import Section
from trainjobs.api.exchanged import Exchanged
from trainjobs.api.status import (
    DAMAGED_NAMED,
    Artifacts,
    CheckpointsStatus,
    DamagedCheckpoint,
    Metrics,
    Progress,
)
from trainjobs.core.checkpoints.layout import MAX_ATTEMPT
from trainjobs.core.recipe.model import PROTOCOL

Stage = Literal["Starting", "Fetching", "Launching", "Training", "Saving", "Uploading", "Finished"]
Directive = Literal["Continue", "Checkpoint", "Stop"]

TERMINATION_BYTES = 4096
"""Kubernetes keeps this much of a container's termination message."""


class SyncState(Section):
    """Whether checkpoints reach storage."""

    healthy: bool = True
    reason: str = ""
    """Why not; `Synced` when storage answers again that was away before training; `RetentionFailed` where
    checkpoints do reach it and old ones cannot be deleted; `PartsMissing` where a part of one does not."""
    message: str = ""
    """What storage said."""
    pending: int = 0
    """Checkpoints saved here and not yet complete in storage."""


class Wait(Section):
    """What a node waits for before its first step, and since when."""

    what: str
    since: datetime

    def __str__(self) -> str:
        return f"waits for {self.what}, since {self.since.astimezone(UTC):%H:%M:%S} UTC"


class Heartbeat(Section, Exchanged):
    """What one node's agent says every few seconds."""

    protocol: int = PROTOCOL
    run_uid: str
    attempt: int
    node_rank: int
    stage: Stage | str
    """An agent of a newer version may have stages of its own."""
    time: datetime
    progress: Progress | None = None
    metrics: Metrics = Field(default_factory=Metrics)
    checkpoints: CheckpointsStatus = Field(default_factory=CheckpointsStatus)
    sync: SyncState = Field(default_factory=SyncState)
    damaged: Annotated[list[DamagedCheckpoint], Field(max_length=DAMAGED_NAMED)] = Field(default_factory=list)
    """Checkpoints that this attempt has passed over."""
    wait: Wait | None = None


class HeartbeatAnswer(Section, Exchanged):
    """What the agent is told in return."""

    directive: Directive = "Continue"


class Outcome(Section, Exchanged):
    """What a run has reached; the agent of node 0 writes it when all is in storage."""

    step: int
    total_steps: int
    metrics: Metrics = Field(default_factory=Metrics)
    checkpoints: CheckpointsStatus = Field(default_factory=CheckpointsStatus)
    artifacts: Artifacts = Field(default_factory=Artifacts)
    missed: str = ""
    """Which threshold of the evaluation was missed; empty where none was."""


class FinalRecord(Section, Exchanged):
    """How a node's agent ended: its termination message."""

    protocol: int = PROTOCOL
    attempt: int
    node_rank: int
    exit_code: int
    reason: str
    """`Succeeded`, or the reason of an error of trainjobs.errors."""
    message: str = ""
    advice: str = ""
    last_lines: str = ""
    stage: Stage | None = None
    """What it did last before it ended; None of one that did not come to doing anything."""
    newest_attempt: Annotated[int, Field(ge=0, le=MAX_ATTEMPT)] = 0
    """Of an agent that was refused by storage: the attempt that owns the run there; 0 of others."""
    outcome: Outcome | None = None
    """Only of node 0, and only of a run that succeeded."""

    def encode(self) -> str:
        """JSON of at most TERMINATION_BYTES bytes; the oldest last lines go first, then the message."""
        record = self
        text = record.model_dump_json(by_alias=True, exclude_defaults=True)
        while len(text.encode()) > TERMINATION_BYTES and (record.last_lines or record.message):
            excess = len(text.encode()) - TERMINATION_BYTES
            if record.last_lines:
                record = record.model_copy(update={"last_lines": record.last_lines[excess:]})
            else:
                record = record.model_copy(update={"message": record.message[: -excess or None]})
            text = record.model_dump_json(by_alias=True, exclude_defaults=True)
        return text
