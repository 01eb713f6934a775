"""Attempts of a run, begun by a test instead of by an agent."""

from datetime import UTC, datetime

from trainjobs.core.checkpoints.claim import Claim
from trainjobs.core.checkpoints.layout import CheckpointRef
from trainjobs.core.checkpoints.resume import Resume, ResumePolicy
from trainjobs.core.checkpoints.resumption import ResumePoint, Resumption
from trainjobs.errors import CorruptCheckpoint
from trainjobs.storage import beginning
from trainjobs.storage.checkpoints import CheckpointStore


def claim(store: CheckpointStore, attempt: int, job: str = "job", pod: str = "pod") -> Claim:
    """Claim an attempt that has not chosen yet where it goes on."""
    return store.attempts.create(Claim(attempt, job, pod, datetime.now(UTC)))


def begin(
    store: CheckpointStore,
    attempt: int,
    job: str = "job",
    pod: str = "pod",
    policy: ResumePolicy = Resume.AUTO,
) -> Resumption:
    """Begin an attempt on a machine that reads of each checkpoint its manifest alone."""

    def restore(resume: ResumePoint) -> None:
        if isinstance(resume, CheckpointRef) and resume not in store.complete():
            raise CorruptCheckpoint(f"{resume.name} has no valid manifest")

    claimed = Claim(attempt, job, pod, datetime.now(UTC))
    return beginning.begin(store, claimed, policy, restore, lambda *_: None)
