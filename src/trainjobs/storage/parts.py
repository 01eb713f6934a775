"""What nodes other than node 0 store of a checkpoint, and what node 0 tells them of it."""

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path

from trainjobs.core.checkpoints.layout import MANIFEST, CheckpointRef, turn_key
from trainjobs.core.checkpoints.manifest import FileEntry, Manifest
from trainjobs.core.checkpoints.parts import DECLINED, PARTS, part_folder, split_part
from trainjobs.core.checkpoints.turn import Turn
from trainjobs.errors import CorruptCheckpoint
from trainjobs.storage.attempts import Attempts
from trainjobs.storage.complete import manifest_of
from trainjobs.storage.store import ObjectNotFound, Store
from trainjobs.storage.transfer import files_of, upload_files


class Parts:
    """The parts of a run's checkpoints that several nodes store."""

    def __init__(self, store: Store, attempts: Attempts, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._attempts = attempts
        self._clock = clock

    def call(self, turn: Turn) -> None:
        """Say which checkpoint all nodes of an attempt store now.

        Raises:
            Fenced: a newer attempt owns the run.
        """
        self._attempts.require_newest(turn.attempt)
        self._store.put(turn_key(turn.attempt), turn.to_json())

    def called(self, attempt: int) -> Turn | None:
        """Return which checkpoint all nodes of an attempt store now; None before the first.

        Raises:
            CorruptCheckpoint: it cannot be read.
        """
        key = turn_key(attempt)
        try:
            return Turn.from_json(self._store.get(key), f"{self._store.uri}/{key}")
        except ObjectNotFound:
            return None

    def save(
        self, ref: CheckpointRef, node: int, source: Path | None, *, without: frozenset[str] = frozenset()
    ) -> Manifest:
        """Store what a node has of a checkpoint, its manifest last.

        Args:
            ref: the checkpoint.
            node: which node this is.
            source: its folder; None where the node has nothing of it.
            without: files that node 0 has of the same name.

        Raises:
            Fenced: a newer attempt owns the run.
            InvalidData: the folder is empty, or a file changed while it was read.
        """
        self._attempts.require_newest(ref.attempt)
        there = self.of(ref, node)
        if there is not None:
            return there
        folder = f"{ref.folder}/{part_folder(node)}"
        files: tuple[FileEntry, ...] = ()
        if source is not None:
            own = tuple(one for one in files_of(source) if one[0] not in without)
            files = upload_files(self._store.at(folder), source, own)
        manifest = Manifest(files, ref.attempt, ref.step, self._clock())
        self._attempts.require_newest(ref.attempt)
        self._store.put(f"{folder}/{MANIFEST}", manifest.to_json())
        return manifest

    def decline(self, ref: CheckpointRef, node: int) -> None:
        """Say that a node had a part of a checkpoint and has it no more, so that nobody waits for it.

        Raises:
            Fenced: a newer attempt owns the run.
        """
        self._attempts.require_newest(ref.attempt)
        self._store.put(f"{ref.folder}/{part_folder(node)}/{DECLINED}", b"")

    def of(self, ref: CheckpointRef, node: int) -> Manifest | None:
        """Return the manifest of a node's part, or None while it is not there, or not whole."""
        try:
            return manifest_of(self._store, f"{ref.folder}/{part_folder(node)}", ref)
        except CorruptCheckpoint:
            return None

    def answers(self, ref: CheckpointRef, known: Mapping[int, Manifest]) -> dict[int, Manifest | None]:
        """Return what nodes have said of a checkpoint: the manifest of their part, or None for no part.

        Args:
            ref: the checkpoint.
            known: parts that need not be read again.
        """
        said: dict[int, Manifest | None] = {}
        for info in self._store.list(f"{ref.folder}/{PARTS}"):
            node, path = split_part(info.key.removeprefix(f"{ref.folder}/"))
            if path == DECLINED:
                said.setdefault(node, None)
            elif path == MANIFEST:
                part = known.get(node) or self.of(ref, node)
                if part is not None:
                    said[node] = part
        return said
