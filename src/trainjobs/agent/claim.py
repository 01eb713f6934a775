"""Who trains, and from where: node 0 claims the attempt in storage, the other nodes read what it claimed."""

import logging
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from trainjobs.agent.options import Options
from trainjobs.agent.places import volume_uri
from trainjobs.api.checkpoints import Resume as ResumeSection
from trainjobs.core.checkpoints.claim import Claim, ExternalCheckpoint, ResumePoint
from trainjobs.core.checkpoints.layout import CheckpointRef
from trainjobs.core.checkpoints.resume import Resume, ResumeFrom, ResumePolicy, choose_resume
from trainjobs.core.outputs import CHECKPOINT_PREFIX, EXTERNAL
from trainjobs.core.recipe.model import Recipe
from trainjobs.errors import (
    AccessDenied,
    CorruptCheckpoint,
    Fenced,
    InvalidRecipe,
    RendezvousFailed,
    StorageUnavailable,
)
from trainjobs.storage.checkpoints import CheckpointStore
from trainjobs.storage.complete import fetch_folder
from trainjobs.storage.external import require_checkpoint
from trainjobs.storage.opening import open_to_read
from trainjobs.storage.settings import StorageSettings
from trainjobs.storage.store import Store

_log = logging.getLogger(__name__)
_LOOK_SECONDS = 0.5
_FIELD = "spec.checkpoints.resume.uri"
# Node 0 restores its checkpoint before it claims; the other nodes wait this long for it at most.
_LONGEST_WAIT = 1800.0


@dataclass(frozen=True, slots=True)
class Claimed:
    """An attempt that is ours, and the local folder of the checkpoint it goes on from."""

    claim: Claim
    resume_from: Path | None


def resume_policy(section: ResumeSection) -> ResumePolicy:
    """Return what `spec.checkpoints.resume` asks for."""
    if section.type == "From":
        assert section.uri is not None, "the schema wants a uri with From"
        return ResumeFrom(section.uri)
    return Resume.AUTO if section.type == "Auto" else Resume.NEVER


def claim_and_restore(
    store: CheckpointStore, recipe: Recipe, options: Options, fetcher: "Restorer", stopped: Callable[[], bool]
) -> Claimed:
    """Claim the attempt (node 0) or await the claim (other nodes), and fetch what it resumes from.

    Node 0 fetches before it claims: a checkpoint that turns out to be damaged is passed over for the
    one before it, and the claim names the one that is whole.

    Raises:
        Fenced: a newer attempt, or this one for another pod, has been claimed.
        RendezvousFailed: node 0 did not claim in time.
        InvalidRecipe: what `resume.uri` names is no checkpoint, or not whole.
    """
    if options.node_rank != 0:
        claim = _await_claim(store, recipe, options, stopped)
        return Claimed(claim, fetcher.fetch(claim.resume))
    store.attempts.require_newest(options.attempt)
    resume, folder = _newest_whole(store, resume_policy(recipe.checkpoints.resume), fetcher)
    claim = Claim(options.attempt, options.job_uid, options.pod_uid, resume, datetime.now(UTC))
    there = store.attempts.create(claim)
    # The same owner has claimed before, when a checkpoint fewer or more was whole: that claim holds.
    return Claimed(there, folder if there.resume == resume else fetcher.fetch(there.resume))


def _newest_whole(
    store: CheckpointStore, policy: ResumePolicy, fetcher: "Restorer"
) -> tuple[ResumePoint, Path | None]:
    complete = set(store.complete())
    if policy is not Resume.NEVER:
        for ref, error in store.unreadable().items():
            fetcher.pass_over(ref, error)
    while True:
        resume = choose_resume(policy, complete)
        try:
            return resume, fetcher.fetch(resume)
        except CorruptCheckpoint as error:
            if not isinstance(resume, CheckpointRef):
                raise
            fetcher.pass_over(resume, error)
            complete.discard(resume)


def _await_claim(
    store: CheckpointStore, recipe: Recipe, options: Options, stopped: Callable[[], bool]
) -> Claim:
    allowed = min(_LONGEST_WAIT, recipe.limits.start_timeout_seconds)
    deadline = time.monotonic() + allowed
    while not stopped():
        store.attempts.require_newest(options.attempt)
        claim = store.attempts.claim_of(options.attempt)
        if claim is not None and claim.job_uid != options.job_uid:
            raise Fenced(
                f"{store.store.uri}: attempt {options.attempt} is claimed by job {claim.job_uid}, "
                f"not by this one ({options.job_uid})",
                options.attempt,
            )
        if claim is not None:
            return claim
        if time.monotonic() > deadline:
            raise RendezvousFailed(
                f"node 0 has not claimed attempt {options.attempt} in {store.store.uri} within "
                f"{allowed:.0f} s; look at node 0's log, and check that all nodes use the same storage"
            )
        time.sleep(_LOOK_SECONDS)
    raise RendezvousFailed(f"stopped while waiting for node 0 to claim attempt {options.attempt}")


@dataclass(frozen=True, slots=True)
class Restorer:
    """Fetches checkpoints into a folder of the workspace."""

    store: CheckpointStore
    settings: StorageSettings
    folder: Path
    pvc_root: Path
    damaged: Callable[[str, str], None]
    """Told the URI of a checkpoint that is passed over, and why."""
    of_own_training: bool = field(kw_only=True)
    """False where a script of the user's own resumes."""

    def pass_over(self, ref: CheckpointRef, error: CorruptCheckpoint) -> None:
        """Say that a checkpoint of this run is damaged, and that an older one takes its place."""
        message = f"checkpoint {ref.name} is damaged and passed over: {error}"
        _log.error("%s; going on from the checkpoint before it", message)
        self.damaged(f"{self.store.store.uri}/{ref.folder}", message)

    def fetch(self, resume: ResumePoint) -> Path | None:
        """Fetch the checkpoint to go on from, each file verified; None when training starts at step 0.

        Raises:
            CorruptCheckpoint: one of this run's own is not whole.
            InvalidRecipe: what `resume.uri` names is no checkpoint, or not whole.
        """
        match resume:
            case None:
                return None
            case CheckpointRef(step=step) as ref:
                target = self.folder / f"{CHECKPOINT_PREFIX}{step}"
                self._into(target, self.store.store.at(ref.folder))
            case ExternalCheckpoint(uri=uri):
                target = self.folder / EXTERNAL
                try:
                    source = open_to_read(volume_uri(uri, self.pvc_root), settings=self.settings)
                    require_checkpoint(source, of_own_training=self.of_own_training)
                    step = self._into(target, source)
                except CorruptCheckpoint as error:
                    # It will be no better at the next attempt.
                    raise InvalidRecipe(f"{_FIELD}: {error}; name another checkpoint") from error
                except (AccessDenied, InvalidRecipe, StorageUnavailable) as error:
                    raise type(error)(f"{_FIELD}: {error}") from error
        _log.info("goes on from step %d", step)
        return target

    def _into(self, target: Path, source: Store) -> int:
        # What an earlier attempt left here must not mix with what is fetched now.
        shutil.rmtree(target, ignore_errors=True)
        return fetch_folder(source, target).step
