"""Who trains, and from where: node 0 claims the attempt and records it, the other nodes read the record."""

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
from trainjobs.core.checkpoints.claim import Claim
from trainjobs.core.checkpoints.finding import Finding
from trainjobs.core.checkpoints.layout import CheckpointRef
from trainjobs.core.checkpoints.parts import Needs
from trainjobs.core.checkpoints.resume import Resume, ResumeFrom, ResumePolicy
from trainjobs.core.checkpoints.resumption import ExternalCheckpoint, ResumePoint, Resumption
from trainjobs.core.outputs import CHECKPOINT_PREFIX, EXTERNAL
from trainjobs.core.recipe.model import Recipe
from trainjobs.errors import (
    AccessDenied,
    CorruptCheckpoint,
    Fenced,
    InvalidRecipe,
    RendezvousFailed,
    StorageUnavailable,
    TrainjobsError,
)
from trainjobs.storage.beginning import begin
from trainjobs.storage.checkpoints import CheckpointStore
from trainjobs.storage.external import require_checkpoint
from trainjobs.storage.opening import open_to_read
from trainjobs.storage.settings import StorageSettings
from trainjobs.storage.transfer import download_folder

_log = logging.getLogger(__name__)
_LOOK_SECONDS = 0.5
_FIELD = "spec.checkpoints.resume.uri"


@dataclass(frozen=True, slots=True)
class Claimed:
    """An attempt that is ours: what it goes on from, and the local folder of that."""

    resume: ResumePoint
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
    """Claim the attempt (node 0) or await what it records (other nodes), and fetch what is resumed from.

    Node 0 claims first, so that nobody deletes what it then reads: a checkpoint that turns out to be
    damaged is passed over for the one before it, and the record names the one that is whole.

    Raises:
        Fenced: a newer attempt, or this one for another pod, has been claimed.
        CorruptCheckpoint: no checkpoint of the run comes back whole here, or not what `resume.uri` names.
        RendezvousFailed: asked to stop before node 0 had begun.
        InvalidRecipe: what `resume.uri` names is no checkpoint, or was read twice with the same damage.
    """
    if options.node_rank != 0:
        resume = _await_resumption(store, options, stopped).resume
        try:
            return Claimed(resume, fetcher.fetch(resume))
        except CorruptCheckpoint as error:
            if isinstance(resume, CheckpointRef):
                _tell(store, options, resume, error, fetcher.damaged)
            raise
    claim = Claim(options.attempt, options.job_uid, options.pod_uid, datetime.now(UTC))
    policy = resume_policy(recipe.checkpoints.resume)
    resume = begin(store, claim, policy, fetcher.fetch, fetcher.pass_over).resume
    return Claimed(resume, fetcher.folder_of(resume))


def _tell(
    store: CheckpointStore,
    options: Options,
    ref: CheckpointRef,
    error: CorruptCheckpoint,
    damaged: Callable[[str, str], None],
) -> None:
    """Say what cannot be read here: node 0 has read its own part, and would choose the same again."""
    now = datetime.now(UTC)
    store.attempts.tell(Finding(options.attempt, options.node_rank, ref, str(error), now))
    message = f"the part of checkpoint {ref.name} that node {options.node_rank} reads is damaged: {error}"
    _log.error("%s; the next attempt tries the checkpoint before it", message)
    damaged(f"{store.store.uri}/{ref.folder}", message)


def _await_resumption(store: CheckpointStore, options: Options, stopped: Callable[[], bool]) -> Resumption:
    """Wait for node 0 however long: it may have no machine yet, and whoever judges the attempt sees that."""
    while not stopped():
        store.attempts.require_newest(options.attempt)
        claim = store.attempts.claim_of(options.attempt)
        if claim is not None and claim.job_uid != options.job_uid:
            raise Fenced(
                f"{store.store.uri}: attempt {options.attempt} is claimed by job {claim.job_uid}, "
                f"not by this one ({options.job_uid})",
                options.attempt,
            )
        resumption = store.attempts.resumption_of(options.attempt) if claim is not None else None
        if resumption is not None:
            return resumption
        time.sleep(_LOOK_SECONDS)
    raise RendezvousFailed(f"stopped while waiting for node 0 to begin attempt {options.attempt}")


@dataclass(frozen=True, slots=True)
class Restorer:
    """Fetches checkpoints into a folder of the workspace."""

    store: CheckpointStore
    attempt: int
    node_rank: int
    settings: StorageSettings
    folder: Path
    pvc_root: Path
    damaged: Callable[[str, str], None]
    """Told the URI of a checkpoint that is passed over, and why."""
    of_own_training: bool = field(kw_only=True)
    """False where a script of the user's own resumes."""
    needs: Needs = field(kw_only=True)
    """Which files of a checkpoint of several nodes this node reads."""

    def pass_over(self, ref: CheckpointRef, error: CorruptCheckpoint) -> None:
        """Say that a checkpoint of this run is damaged, and that an older one is tried in its place."""
        shutil.rmtree(self.folder, ignore_errors=True)
        message = f"checkpoint {ref.name} is damaged and passed over: {error}"
        _log.error("%s; trying the checkpoint before it", message)
        self.damaged(f"{self.store.store.uri}/{ref.folder}", message)

    def folder_of(self, resume: ResumePoint) -> Path | None:
        """Return where a checkpoint is fetched to; None when training starts at step 0."""
        match resume:
            case None:
                return None
            case CheckpointRef(step=step):
                return self.folder / f"{CHECKPOINT_PREFIX}{step}"
            case ExternalCheckpoint():
                return self.folder / EXTERNAL

    def fetch(self, resume: ResumePoint) -> Path | None:
        """Fetch the checkpoint to go on from, each file verified, into `folder_of` it.

        Raises:
            CorruptCheckpoint: it is not whole, as it is read here.
            InvalidRecipe: what `resume.uri` names is no checkpoint, or was read twice with the same damage.
        """
        target = self.folder_of(resume)
        if target is None or resume is None:
            return None
        if isinstance(resume, CheckpointRef):
            self._clear(target)
            step = self.store.restore(resume, target, self.needs).step
        else:
            step = self._fetch_external(resume.uri, target)
        _log.info("goes on from step %d", step)
        return target

    def _fetch_external(self, uri: str, target: Path) -> int:
        try:
            source = open_to_read(volume_uri(uri, self.pvc_root), settings=self.settings)
            manifest = require_checkpoint(source, of_own_training=self.of_own_training)
            self._clear(target)
            download_folder(source, manifest, target, self.needs)
            return manifest.step
        except CorruptCheckpoint as error:
            raise self._external_damage(error) from error
        except (AccessDenied, InvalidRecipe, StorageUnavailable) as error:
            raise type(error)(f"{_FIELD}: {error}") from error

    def _external_damage(self, error: CorruptCheckpoint) -> TrainjobsError:
        """What is said of damage: of the first time that another machine may read it whole."""
        again = self.store.attempts.is_seen_again(str(error), attempt=self.attempt, node_rank=self.node_rank)
        if again:
            return InvalidRecipe(f"{_FIELD}: {error}; it was read twice like this: name another checkpoint")
        return CorruptCheckpoint(f"{_FIELD}: {error}; the next attempt reads it again")

    @staticmethod
    def _clear(target: Path) -> None:
        # What an earlier attempt left here must not mix with what is fetched now.
        shutil.rmtree(target, ignore_errors=True)
