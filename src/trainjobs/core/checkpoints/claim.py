"""Who may write for a run: attempts claim it one after the other, and the newest one owns it.

A claim is created once, never overwritten. It names the checkpoint that its attempt resumes from, so
the claims of a run form a line back to its start. Only checkpoints on that line count: what an older
attempt managed to write after it had been replaced is never resumed from.
"""

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from trainjobs.core.checkpoints.layout import CheckpointRef, attempt_key
from trainjobs.core.checkpoints.reading import Fields
from trainjobs.errors import CorruptCheckpoint

FORMAT = 1


@dataclass(frozen=True, slots=True)
class ExternalCheckpoint:
    """A checkpoint outside the run's own folder, named by its full URI."""

    uri: str


ResumePoint = CheckpointRef | ExternalCheckpoint | None


@dataclass(frozen=True, slots=True)
class Claim:
    """One attempt's ownership of a run; (attempt, job UID, pod UID) is its token."""

    attempt: int
    job_uid: str
    pod_uid: str
    resume: ResumePoint
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
            "resume": _resume_to_json(self.resume),
            "created": self.created.isoformat(),
        }
        return json.dumps(body, indent=1).encode() + b"\n"

    @classmethod
    def from_json(cls, data: bytes, source: str) -> "Claim":
        """Read a claim back; `source` names it in errors.

        Raises:
            CorruptCheckpoint: it is not a whole claim of a known format.
        """
        fields = Fields.from_json(data, source)
        if fields.integer("format") != FORMAT:
            raise fields.error(
                f"format {fields.integer('format')} is not known; this version reads format {FORMAT}"
            )
        try:
            return cls(
                attempt=fields.integer("attempt"),
                job_uid=fields.text("jobUid"),
                pod_uid=fields.text("podUid"),
                resume=_resume_from_json(fields.optional("resume")),
                created=fields.time("created"),
            )
        except ValueError as error:
            raise CorruptCheckpoint(f"{source}: {error}") from error


def _resume_to_json(resume: ResumePoint) -> dict[str, object] | None:
    match resume:
        case CheckpointRef(step=step, attempt=attempt):
            return {"step": step, "attempt": attempt}
        case ExternalCheckpoint(uri=uri):
            return {"uri": uri}
        case None:
            return None


def _resume_from_json(fields: Fields | None) -> ResumePoint:
    if fields is None:
        return None
    if "uri" in fields.values:
        return ExternalCheckpoint(fields.text("uri"))
    return CheckpointRef(fields.integer("step"), fields.integer("attempt"))


def fenced_by(attempt: int, claimed: Iterable[int]) -> int | None:
    """Return the newest claimed attempt that is newer than `attempt`, or None while it owns the run."""
    newest = max(claimed, default=0)
    return newest if newest > attempt else None


def on_the_line(complete: Collection[CheckpointRef], claims: Collection[Claim]) -> frozenset[CheckpointRef]:
    """Return the checkpoints that count: those on the line of claims back from the newest one.

    The newest attempt's own checkpoints count; of the attempt that it resumed from, those up to its
    resume point; and so on. An attempt that began anew ends the line. Where a claim is missing or
    unreadable the line is not known, and every older checkpoint counts: nothing is lost by doubt.
    """
    by_attempt = {claim.attempt: claim for claim in claims}
    attempt = max([*by_attempt, *(ref.attempt for ref in complete)], default=0)
    last_step: int | None = None
    counting: set[CheckpointRef] = set()
    while True:
        counting.update(
            ref for ref in complete if ref.attempt == attempt and (last_step is None or ref.step <= last_step)
        )
        claim = by_attempt.get(attempt)
        if claim is None:
            return frozenset(counting.union(ref for ref in complete if ref.attempt < attempt))
        # A claim can only name an older attempt: anything else is damage, and would loop for ever.
        if not isinstance(claim.resume, CheckpointRef) or claim.resume.attempt >= attempt:
            return frozenset(counting)
        attempt, last_step = claim.resume.attempt, claim.resume.step
