"""How one node brings checkpoints to storage: alone, with the other nodes' parts, or as a part."""

import time
from collections.abc import Sequence
from pathlib import Path

from trainjobs.agent.watch import LocalCheckpoint, checkpoint_folders, fingerprint
from trainjobs.core.checkpoints.layout import CheckpointRef
from trainjobs.core.checkpoints.manifest import FileEntry, Manifest
from trainjobs.core.checkpoints.turn import Turn
from trainjobs.core.outputs import CHECKPOINT_PREFIX
from trainjobs.storage.checkpoints import CheckpointStore
from trainjobs.storage.transfer import files_of

_QUIET_SECONDS = 1.0
# How long after node 0's folder another node's may come that a script of the user's own writes.
_NO_FOLDER_SECONDS = 10.0


class Whole:
    """Node 0 has all of every checkpoint; other destinations differ in what they say of themselves here."""

    node_rank = 0
    asked_anew = False
    """Whether another node may ask for something at any time."""
    over = True
    """Whether no other node waits for this one to go on, once its own checkpoints are in storage."""

    def __init__(self, store: CheckpointStore, attempt: int) -> None:
        self._store = store
        self._attempt = attempt

    def next(self, waiting: Sequence[LocalCheckpoint], *, more: bool) -> LocalCheckpoint | None:  # noqa: ARG002
        """Return which checkpoint is to be stored now; None while there is none, or other nodes go first.

        Args:
            waiting: what is not stored yet, oldest first.
            more: False once training has ended, and nothing follows.

        Raises:
            Fenced: a newer attempt owns the run.
        """
        return waiting[0] if waiting else None

    def passed(self, checkpoint: LocalCheckpoint) -> bool:  # noqa: ARG002
        """Whether the turn of a checkpoint will not come."""
        return False

    def bring(self, checkpoint: LocalCheckpoint) -> Manifest | None:
        """Bring a checkpoint to storage, or go on with it; None while another node's part is awaited.

        Raises:
            Fenced: a newer attempt owns the run.
            InvalidData: the folder is empty, or a file changed while it was read.
        """
        return self._store.save(
            checkpoint.path, step=checkpoint.step, attempt=self._attempt, metrics=checkpoint.metrics
        )

    def missing(self) -> tuple[int, ...]:
        """Return the other nodes whose part of the checkpoint brought last is not there."""
        return ()

    def declined(self) -> tuple[int, ...]:
        """Return those of them that have it no more."""
        return ()

    def give_up(self, checkpoint: LocalCheckpoint) -> None:
        """Note that a checkpoint cannot be stored."""


class AllParts(Whole):
    """Node 0 of several that each have a part: it says what is next, and commits when all parts are there."""

    over = False

    def __init__(self, store: CheckpointStore, attempt: int, nodes: int) -> None:
        super().__init__(store, attempt)
        self._others = range(1, nodes)
        self._own: dict[int, tuple[FileEntry, ...]] = {}
        """Its files of the checkpoint whose turn it is."""
        self._waiting: frozenset[int] = frozenset()
        self._parts: dict[int, Manifest] = {}
        self._declined: tuple[int, ...] = ()

    def next(self, waiting: Sequence[LocalCheckpoint], *, more: bool) -> LocalCheckpoint | None:
        """Return the oldest; where nothing follows, say so to the other nodes."""
        if not waiting and not more and not self.over:
            self._store.parts.call(Turn(self._attempt, None))
            self.over = True
        self._waiting = frozenset(one.step for one in waiting[1:])
        return super().next(waiting, more=more)

    def bring(self, checkpoint: LocalCheckpoint) -> Manifest | None:
        """Upload node 0's files once; write the manifest when every other node has written its own."""
        ref = CheckpointRef(checkpoint.step, self._attempt)
        there = self._store.stored(ref)
        if there is not None:
            return there
        if ref.step not in self._own:
            names = frozenset(name for name, _ in files_of(checkpoint.path))
            self._store.parts.call(Turn(ref.attempt, ref.step, self._waiting, names))
            self._parts, self._declined = {}, ()
            self._own = {ref.step: self._store.upload(ref, checkpoint.path)}
        self._listen(ref)
        if self.missing():
            return None
        return self._store.commit(ref, self._own[ref.step], parts=self._parts, metrics=checkpoint.metrics)

    def _listen(self, ref: CheckpointRef) -> None:
        said = self._store.parts.answers(ref, self._parts)
        self._parts = {node: part for node, part in said.items() if part is not None and node in self._others}
        self._declined = tuple(node for node, part in said.items() if part is None and node in self._others)

    def missing(self) -> tuple[int, ...]:
        """Return the nodes whose part is not in storage."""
        return tuple(node for node in self._others if node not in self._parts)

    def declined(self) -> tuple[int, ...]:
        """Return the nodes that have said that they have it no more."""
        return self._declined


class OnePart(Whole):
    """Another node than node 0: it stores its part of what node 0 names, with a manifest of its own."""

    over = False

    def __init__(self, store: CheckpointStore, attempt: int, node_rank: int) -> None:
        super().__init__(store, attempt)
        self.node_rank = node_rank
        self._turn: Turn | None = None
        self._answered: int | None = None
        """The step of node 0's that has its answer."""
        self._newest = -1

    def next(self, waiting: Sequence[LocalCheckpoint], *, more: bool) -> LocalCheckpoint | None:
        """Return the checkpoint that node 0 names, if it is here; decline it if it was and is no more."""
        self._newest = max([self._newest, *(one.step for one in waiting)])
        if not more:
            # Node 0 of an attempt that was replaced says nothing any more.
            self._store.attempts.require_newest(self._attempt)
        step = self._asked()
        return self._find(step, waiting, more=more) if step is not None else None

    def _asked(self) -> int | None:
        """Look which checkpoint node 0 wants; None while that is one it has its answer for."""
        turn = self._turn = self._store.parts.called(self._attempt)
        self.over = turn is not None and turn.step is None
        return turn.step if turn is not None and turn.step != self._answered else None

    def _find(self, step: int, waiting: Sequence[LocalCheckpoint], *, more: bool) -> LocalCheckpoint | None:
        here = next((one for one in waiting if one.step == step), None)
        # Nodes save in one order: what is not here yet is still to come, unless something newer is.
        if here is None and (self._newest >= step or not more):
            self._decline(step)
        return here

    def _decline(self, step: int) -> None:
        self._store.parts.decline(CheckpointRef(step, self._attempt), self.node_rank)
        self._answered = step

    def passed(self, checkpoint: LocalCheckpoint) -> bool:
        """Whether node 0 has gone on to a newer one."""
        return self._turn is not None and self._turn.passes(checkpoint.step)

    def bring(self, checkpoint: LocalCheckpoint) -> Manifest:
        """Upload what node 0 has not, the part's manifest last."""
        return self._answer(checkpoint.step, checkpoint.path)

    def _answer(self, step: int, folder: Path | None) -> Manifest:
        without = self._turn.files if self._turn is not None else frozenset()
        ref = CheckpointRef(step, self._attempt)
        part = self._store.parts.save(ref, self.node_rank, folder, without=without)
        self._answered = step
        return part


class ScriptPart(OnePart):
    """Another node, of a user's own script: whatever its own folder of a checkpoint holds is its part.

    Whether the script writes there on this node, and how it ends a folder, is the script's business.
    """

    asked_anew = True

    def __init__(self, store: CheckpointStore, attempt: int, node_rank: int, output: Path) -> None:
        super().__init__(store, attempt, node_rank)
        self._output = output
        self._asked_at: dict[int, float] = {}
        self._seen: set[int] = set()
        """Whose folders were there."""
        self._lost: set[int] = set()

    def next(self, waiting: Sequence[LocalCheckpoint], *, more: bool) -> LocalCheckpoint | None:
        """Return the folder of the checkpoint that node 0 names, once it is quiet."""
        self._seen.update(step for _, step in checkpoint_folders(self._output))
        return super().next(waiting, more=more)

    def _find(self, step: int, waiting: Sequence[LocalCheckpoint], *, more: bool) -> LocalCheckpoint | None:  # noqa: ARG002
        folder = self._output / f"{CHECKPOINT_PREFIX}{step}"
        if step in self._lost or (step in self._seen and not folder.is_dir()):
            self._decline(step)
            return None
        since = self._asked_at.setdefault(step, time.monotonic())
        if files := fingerprint(folder):
            newest = max(changed for _, _, changed in files) / 1e9
            quiet = not more or time.time() - newest > _QUIET_SECONDS
            return LocalCheckpoint(step, folder) if quiet else None
        if not more or time.monotonic() - since > _NO_FOLDER_SECONDS:
            self._answer(step, None)
        return None

    def give_up(self, checkpoint: LocalCheckpoint) -> None:
        """Decline it when it is asked for again."""
        self._lost.add(checkpoint.step)
