"""How one node brings a checkpoint to storage: alone, with the other nodes' parts, or as a part."""

from typing import Protocol

from trainjobs.agent.watch import LocalCheckpoint
from trainjobs.core.checkpoints.layout import CheckpointRef
from trainjobs.core.checkpoints.manifest import FileEntry, Manifest
from trainjobs.storage.checkpoints import CheckpointStore


class Destination(Protocol):
    """Where a node's checkpoints go."""

    node_rank: int

    def bring(self, checkpoint: LocalCheckpoint) -> Manifest | None:
        """Bring a checkpoint to storage, or go on with it; None while another node's part is awaited.

        Raises:
            Fenced: a newer attempt owns the run.
            InvalidData: the folder is empty, or a file changed while it was read.
        """

    def missing(self, checkpoint: LocalCheckpoint) -> tuple[int, ...]:
        """Return the other nodes whose part of a checkpoint is awaited."""

    def forget(self, checkpoint: LocalCheckpoint) -> None:
        """Remember nothing of a checkpoint any more."""


class Whole:
    """Node 0 has all of every checkpoint."""

    node_rank = 0

    def __init__(self, store: CheckpointStore, attempt: int) -> None:
        self._store = store
        self._attempt = attempt

    def bring(self, checkpoint: LocalCheckpoint) -> Manifest:
        """Upload it, its manifest last."""
        return self._store.save(
            checkpoint.path, step=checkpoint.step, attempt=self._attempt, metrics=checkpoint.metrics
        )

    def missing(self, checkpoint: LocalCheckpoint) -> tuple[int, ...]:  # noqa: ARG002
        """Return none: no other node is waited for."""
        return ()

    def forget(self, checkpoint: LocalCheckpoint) -> None:
        """Nothing is remembered of it."""


class OnePart:
    """Another node than node 0: its part has a manifest of its own."""

    def __init__(self, store: CheckpointStore, attempt: int, node_rank: int) -> None:
        self._store = store
        self._attempt = attempt
        self.node_rank = node_rank

    def bring(self, checkpoint: LocalCheckpoint) -> Manifest:
        """Upload it, its manifest last."""
        return self._store.save_part(
            checkpoint.path,
            node=self.node_rank,
            step=checkpoint.step,
            attempt=self._attempt,
            metrics=checkpoint.metrics,
        )

    def missing(self, checkpoint: LocalCheckpoint) -> tuple[int, ...]:  # noqa: ARG002
        """Return none: no other node is waited for."""
        return ()

    def forget(self, checkpoint: LocalCheckpoint) -> None:
        """Nothing is remembered of it."""


class AllParts:
    """Node 0 of several that each have a part: it uploads its own, and commits when all are there."""

    node_rank = 0

    def __init__(self, store: CheckpointStore, attempt: int, nodes: int) -> None:
        self._store = store
        self._attempt = attempt
        self._others = range(1, nodes)
        self._own: dict[int, tuple[FileEntry, ...]] = {}
        self._parts: dict[int, dict[int, Manifest]] = {}

    def bring(self, checkpoint: LocalCheckpoint) -> Manifest | None:
        """Upload node 0's files once; write the manifest when every other node has written its own."""
        ref = CheckpointRef(checkpoint.step, self._attempt)
        there = self._store.stored(ref)
        if there is None:
            if ref.step not in self._own:
                self._own[ref.step] = self._store.upload(ref, checkpoint.path)
            if self.missing(checkpoint):
                return None
            there = self._store.commit(
                ref, self._own[ref.step], parts=self._parts[ref.step], metrics=checkpoint.metrics
            )
        self.forget(checkpoint)
        return there

    def missing(self, checkpoint: LocalCheckpoint) -> tuple[int, ...]:
        """Return the nodes whose part of a checkpoint is not in storage."""
        found = self._parts.setdefault(checkpoint.step, {})
        for node in self._others:
            part = found.get(node) or self._store.part(CheckpointRef(checkpoint.step, self._attempt), node)
            if part is not None:
                found[node] = part
        return tuple(node for node in self._others if node not in found)

    def forget(self, checkpoint: LocalCheckpoint) -> None:
        """Let go of what was uploaded of it."""
        self._own.pop(checkpoint.step, None)
        self._parts.pop(checkpoint.step, None)
