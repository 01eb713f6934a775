"""Who may write for a run: attempts claim it one after the other, and the newest one owns it.

A claim is created once, never overwritten, and before anything is read: from then on no older attempt
saves or deletes, so what the new one finds stays as it is while it chooses where to go on
(`core.checkpoints.resumption`).
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from trainjobs.core.checkpoints.layout import attempt_key
from trainjobs.core.checkpoints.reading import Fields
from trainjobs.errors import CorruptCheckpoint

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Claim:
    """One attempt's ownership of a run; (attempt, job UID, pod UID) is its token."""

    attempt: int
    job_uid: str
    pod_uid: str
    created: datetime

    def __post_init__(self) -> None:
        attempt_key(self.attempt)
        if self.created.tzinfo is None:
            raise ValueError("created has no time zone")

    @property
    def token(self) -> tuple[int, str, str]:
        """What makes two claims the same owner's: a claim is written again after a lost answer."""
        return self.attempt, self.job_uid, self.pod_uid

    def to_json(self) -> bytes:
        """Return the claim as UTF-8 JSON."""
        body = {
            "format": FORMAT,
            "attempt": self.attempt,
            "jobUid": self.job_uid,
            "podUid": self.pod_uid,
            "created": self.created.isoformat(),
        }
        return json.dumps(body, indent=1).encode() + b"\n"

    @classmethod
    def from_json(cls, data: bytes, source: str) -> "Claim":
        """Read a claim back; `source` names it in errors.

        Raises:
            CorruptCheckpoint: it is not a whole claim of a known format.
        """
        fields = Fields.of_format(FORMAT, data, source)
        try:
            return cls(
                attempt=fields.integer("attempt"),
                job_uid=fields.text("jobUid"),
                pod_uid=fields.text("podUid"),
                created=fields.time("created"),
            )
        except ValueError as error:
            raise CorruptCheckpoint(f"{source}: {error}") from error


def fenced_by(attempt: int, claimed: Iterable[int]) -> int | None:
    """Return the newest claimed attempt that is newer than `attempt`, or None while it owns the run."""
    newest = max(claimed, default=0)
    return newest if newest > attempt else None
