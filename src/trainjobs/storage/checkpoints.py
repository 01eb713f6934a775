"""What a run keeps in storage: claims of its attempts, checkpoints, artifacts, its result.

Only the newest attempt writes. Whoever writes asks who that is before it begins, and again right
before the manifest that makes a checkpoint exist; what slips through between that question and the
write lies off the line of attempts (`core.checkpoints.line`) and is never resumed from.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from trainjobs.core.checkpoints.layout import (
    ARTIFACTS,
    ATTEMPTS,
    CHECKPOINTS,
    MANIFEST,
    RECIPE,
    RESULT,
    ArtifactRef,
    CheckpointRef,
    attempt_key,
    parse_checkpoint_key,
    resumption_key,
)
from trainjobs.core.checkpoints.line import on_the_line
from trainjobs.core.checkpoints.manifest import FileEntry, Manifest
from trainjobs.core.checkpoints.parts import Needs, all_files, everything
from trainjobs.core.checkpoints.retention import Retention, left_behind, to_delete
from trainjobs.errors import AccessDenied, CorruptCheckpoint
from trainjobs.storage.artifacts import artifacts_of
from trainjobs.storage.attempts import Attempts
from trainjobs.storage.complete import Damage, fetch_folder, manifest_of, verify_folder
from trainjobs.storage.parts import Parts
from trainjobs.storage.store import AlreadyExists, ObjectNotFound, Store
from trainjobs.storage.transfer import download_folder, in_parallel, upload_folder

NO_METRICS: Mapping[str, float] = {}
NO_PARTS: Mapping[int, Manifest] = {}


def _now() -> datetime:
    return datetime.now(UTC)


class CheckpointStore:
    """The stored part of one run; `store` is the run's folder."""

    def __init__(self, store: Store, *, clock: Callable[[], datetime] = _now) -> None:
        self.store = store
        self.attempts = Attempts(store)
        self._clock = clock
        self.parts = Parts(store, self.attempts, clock)

    def newest_attempt(self) -> int:
        """Return the newest attempt that left a trace in storage, or 0."""
        return max([*self.attempts.numbers(), *(ref.attempt for ref in self._folders())], default=0)

    def line(self) -> tuple[CheckpointRef, ...]:
        """Return the checkpoints that were stored whole and count, oldest first, readable here or not."""
        return tuple(sorted(on_the_line(self._with_manifest(), self.attempts.resumptions())))

    def complete(self) -> dict[CheckpointRef, Manifest]:
        """Return the checkpoints that count, oldest first: on the line of attempts, with a valid manifest."""
        return self._manifests(self.line())

    def save(
        self, source: Path, *, step: int, attempt: int, metrics: Mapping[str, float] = NO_METRICS
    ) -> Manifest:
        """Store a folder as the checkpoint of a step; it exists when this returns.

        A checkpoint that is complete already is left as it is.

        Raises:
            Fenced: a newer attempt owns the run.
            InvalidData: the folder is empty, or a file changed while it was read.
        """
        ref = CheckpointRef(step, attempt)
        return self.stored(ref) or self.commit(ref, self.upload(ref, source), metrics=metrics)

    def stored(self, ref: CheckpointRef) -> Manifest | None:
        """Return the manifest of a checkpoint of ours that is complete already.

        Raises:
            Fenced: a newer attempt owns the run.
        """
        self.attempts.require_newest(ref.attempt)
        return self._manifest(ref)

    def upload(self, ref: CheckpointRef, source: Path) -> tuple[FileEntry, ...]:
        """Store node 0's files of a checkpoint, which does not exist yet; return them for `commit`.

        Raises:
            InvalidData: the folder is empty, or a file changed while it was read.
        """
        return upload_folder(self.store.at(ref.folder), source)

    def commit(
        self,
        ref: CheckpointRef,
        own: tuple[FileEntry, ...],
        *,
        parts: Mapping[int, Manifest] = NO_PARTS,
        metrics: Mapping[str, float] = NO_METRICS,
    ) -> Manifest:
        """Write the manifest that makes a checkpoint exist, over node 0's files and the other nodes' parts.

        Raises:
            Fenced: a newer attempt owns the run.
            InvalidRecipe: a file of node 0 lies where other nodes' parts do.
        """
        return self._write_manifest(
            ref.folder,
            all_files(own, parts),
            step=ref.step,
            attempt=ref.attempt,
            metrics=metrics,
            nodes=1 + len(parts),
        )

    def restore(self, ref: CheckpointRef, target: Path, needs: Needs = everything) -> Manifest:
        """Fetch a checkpoint into a folder, each file verified.

        Args:
            needs: which files of a checkpoint of several nodes this one reads.

        Raises:
            CorruptCheckpoint: the checkpoint has no valid manifest, or a file is damaged.
        """
        manifest = self._read(ref)
        download_folder(self.store.at(ref.folder), manifest, target, needs)
        return manifest

    def prune(
        self, retention: Retention, *, attempt: int, protected: Collection[CheckpointRef] = ()
    ) -> tuple[CheckpointRef, ...]:
        """Delete what retention does not keep, and what older attempts left unfinished or off the line.

        What the newest attempt resumes from is always kept, and what lies off the line until the line's
        newer attempts hold as many checkpoints as retention keeps.

        Raises:
            Fenced: a newer attempt owns the run.
        """
        self.attempts.require_newest(attempt)
        gone = self.surplus(retention, attempt=attempt, protected=protected)
        for ref in gone:
            # Who has been replaced meanwhile must not take away what the next one is reading.
            self.attempts.require_newest(attempt)
            self._delete(ref)
        return gone

    def surplus(
        self, retention: Retention, *, attempt: int, protected: Collection[CheckpointRef] = ()
    ) -> tuple[CheckpointRef, ...]:
        """Return what `prune` would delete, oldest first."""
        records = self.attempts.resumptions()
        resumed_from = {record.resume for record in records[-1:]}
        stored = self._with_manifest()
        complete = self._manifests(on_the_line(stored, records))
        off_the_line = set(stored).difference(complete)
        surplus = {
            *to_delete({ref: complete[ref].metrics for ref in complete}, retention, protected),
            *left_behind(off_the_line, tuple(complete), retention.keep_latest),
            *(ref for ref in self._folders().difference(stored) if ref.attempt < attempt),
        }
        return tuple(ref for ref in sorted(surplus) if ref not in resumed_from and ref not in protected)

    def discard(self, ref: CheckpointRef) -> None:
        """Delete the files of a checkpoint that never came to exist.

        Raises:
            Fenced: a newer attempt owns the run.
        """
        self.attempts.require_newest(ref.attempt)
        if self._manifest(ref) is None:
            self.store.delete_folder(ref.folder)

    def _delete(self, ref: CheckpointRef) -> None:
        # Without its manifest the checkpoint does not exist: a deletion cut off here leaves no half one.
        self.store.delete([ref.manifest_key])
        self.store.delete_folder(ref.folder)

    def _folders(self) -> frozenset[CheckpointRef]:
        found = (parse_checkpoint_key(info.key) for info in self.store.list(CHECKPOINTS))
        return frozenset(ref for ref in found if ref is not None)

    def _manifests(self, refs: Iterable[CheckpointRef]) -> dict[CheckpointRef, Manifest]:
        ordered = sorted(refs)
        found = in_parallel(self._manifest, ordered, self.store.files_at_once)
        return {ref: manifest for ref, manifest in zip(ordered, found, strict=True) if manifest}

    def _with_manifest(self) -> list[CheckpointRef]:
        return [
            ref
            for info in self.store.list(CHECKPOINTS)
            if (ref := parse_checkpoint_key(info.key)) is not None and info.key == ref.manifest_key
        ]

    def _manifest(self, ref: CheckpointRef) -> Manifest | None:
        try:
            return self._read(ref)
        except CorruptCheckpoint:
            # A checkpoint without a valid manifest does not exist; `verify` says why.
            return None

    def _read(self, ref: CheckpointRef) -> Manifest:
        return manifest_of(self.store, ref.folder, ref)

    def _write_manifest(
        self,
        folder: str,
        files: tuple[FileEntry, ...],
        *,
        step: int,
        attempt: int,
        metrics: Mapping[str, float],
        nodes: int = 1,
    ) -> Manifest:
        manifest = Manifest(files, attempt, step, self._clock(), dict(metrics), nodes)
        self.attempts.require_newest(attempt)
        self.store.put(f"{folder}/{MANIFEST}", manifest.to_json())
        return manifest

    def put_artifact(
        self, name: str, source: Path, *, step: int, attempt: int, metrics: Mapping[str, float] = NO_METRICS
    ) -> Manifest:
        """Store a folder as an artifact of an attempt, in place of an earlier one of that name.

        Raises:
            Fenced: a newer attempt owns the run.
        """
        folder = ArtifactRef(name, attempt).folder
        self.attempts.require_newest(attempt)
        self._retract(folder)
        files = upload_folder(
            self.store.at(folder), source, before_each=lambda: self.attempts.require_newest(attempt)
        )
        return self._write_manifest(folder, files, step=step, attempt=attempt, metrics=metrics)

    def _retract(self, folder: str) -> None:
        """Make an earlier artifact of that name not exist, so that nobody takes a mixture of both for one."""
        manifest = f"{folder}/{MANIFEST}"
        if self.store.head(manifest) is None:
            return
        try:
            self.store.delete([manifest])
        except AccessDenied:
            # Keys that may not delete may write over it still, and nothing is no manifest either.
            self.store.put(manifest, b"")

    def get_artifact(self, name: str, target: Path) -> Manifest:
        """Fetch an artifact of the run into a folder, each file verified.

        Raises:
            CorruptCheckpoint: there is none, or a file is damaged; names it.
        """
        folder = self.artifacts().get(name)
        if folder is None:
            raise CorruptCheckpoint(f"{self.store.uri}: has no artifact {name}")
        return fetch_folder(self.store.at(folder), target)

    def artifacts(self) -> dict[str, str]:
        """Return the artifacts of the run that are complete: name → folder, sorted by name."""
        return {name: ref.folder for name, ref in artifacts_of(self.store).items()}

    def finish(self, result: bytes, *, attempt: int) -> None:
        """Write the run's result, once and for all.

        Raises:
            AlreadyExists: another result is there.
            Fenced: a newer attempt owns the run.
        """
        self.attempts.require_newest(attempt)
        try:
            self.store.create(RESULT, result)
        except AlreadyExists:
            if self.store.get(RESULT) != result:
                raise

    def result(self) -> bytes | None:
        """Return the run's result, or None while it has none."""
        try:
            return self.store.get(RESULT)
        except ObjectNotFound:
            return None

    def put_recipe(self, recipe: bytes, *, attempt: int) -> None:
        """Write the recipe of the newest attempt.

        Raises:
            Fenced: a newer attempt owns the run.
        """
        self.attempts.require_newest(attempt)
        self.store.put(RECIPE, recipe)

    def verify(self) -> tuple[Damage, ...]:
        """Read back everything that the manifests name; return what is damaged, nothing when all is well.

        A folder without a manifest is an upload that was never finished: it is reported too.
        """
        found: list[Damage] = []
        for attempt in self.attempts.numbers():
            for key, read in (
                (attempt_key(attempt), self.attempts.claim_of),
                (resumption_key(attempt), self.attempts.resumption_of),
            ):
                try:
                    read(attempt)
                except CorruptCheckpoint as error:
                    found.append(Damage(ATTEMPTS, key, str(error)))
        try:
            self.artifacts()
        except CorruptCheckpoint as error:
            found.append(Damage("", RESULT, str(error)))
        for folder in sorted({*(ref.folder for ref in self._folders()), *self._artifact_folders()}):
            found.extend(verify_folder(self.store, folder))
        return tuple(found)

    def _artifact_folders(self) -> frozenset[str]:
        return frozenset("/".join(info.key.split("/")[:2]) for info in self.store.list(ARTIFACTS))
