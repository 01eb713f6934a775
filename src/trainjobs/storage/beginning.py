"""How an attempt begins: it claims the run, reads back where it may go on, and records where it does."""

from collections.abc import Callable
from datetime import UTC, datetime

from trainjobs.core.checkpoints.claim import Claim
from trainjobs.core.checkpoints.layout import CheckpointRef
from trainjobs.core.checkpoints.resume import ResumePolicy, candidates
from trainjobs.core.checkpoints.resumption import ResumePoint, Resumption
from trainjobs.errors import CorruptCheckpoint
from trainjobs.storage.checkpoints import CheckpointStore


def begin(
    store: CheckpointStore,
    claim: Claim,
    policy: ResumePolicy,
    restore: Callable[[ResumePoint], object],
    pass_over: Callable[[CheckpointRef, CorruptCheckpoint], None],
) -> Resumption:
    """Claim an attempt, then choose what it goes on from: the newest checkpoint that comes back whole.

    Once the claim is there no older attempt deletes anything, so what is read stays as it is. Step 0 is
    chosen only where nothing is stored; checkpoints that cannot be read end the attempt instead, and
    another machine may read them. What another node of an earlier attempt could not read is tried last. The
    same owner may ask again, after an answer was lost, and what it had recorded holds.

    Args:
        store: the run's folder.
        claim: names the owner.
        policy: which checkpoints may be resumed from.
        restore: fetches one, each file verified; raises CorruptCheckpoint where it is not whole.
        pass_over: told each one that is passed over, and why.

    Raises:
        Fenced: a newer attempt, or this one for another owner, has been claimed.
        CorruptCheckpoint: none comes back whole; nothing is recorded.
    """
    store.attempts.create(claim)
    recorded = store.attempts.resumption_of(claim.attempt)
    if recorded is not None:
        restore(recorded.resume)
        return recorded
    damaged: dict[CheckpointRef, CorruptCheckpoint] = {}
    for candidate in candidates(policy, store.line(), store.attempts.findings()):
        try:
            restore(candidate)
        except CorruptCheckpoint as error:
            if not isinstance(candidate, CheckpointRef):
                raise
            damaged[candidate] = error
            pass_over(candidate, error)
            continue
        chosen = Resumption(claim.attempt, candidate, datetime.now(UTC))
        return store.attempts.record(chosen)
    raise _none_whole(store, damaged)


def _none_whole(store: CheckpointStore, damaged: dict[CheckpointRef, CorruptCheckpoint]) -> CorruptCheckpoint:
    newest = max(damaged)
    return CorruptCheckpoint(
        f"{store.store.uri}: none of the {len(damaged)} checkpoint(s) comes back whole on this machine, so "
        f"training neither goes on nor begins anew ({newest.name}: {damaged[newest]}); another machine may "
        "read them, `trainjobs checkpoints verify` says whether storage itself is damaged, and "
        "spec.checkpoints.resume: {type: Never} begins anew"
    )
