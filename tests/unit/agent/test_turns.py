"""However long each node takes to upload, checkpoints of all of them keep being committed."""

import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.harness.attempts import begin
from tests.unit.agent.test_sync import RECIPE
from trainjobs.agent.destinations import AllParts, OnePart
from trainjobs.agent.status import Status
from trainjobs.agent.uploads import Uploads
from trainjobs.agent.watch import LocalCheckpoint
from trainjobs.api.checkpoints import Checkpoints, KeepBest
from trainjobs.core.uris import file_uri
from trainjobs.storage.checkpoints import CheckpointStore
from trainjobs.storage.opening import open_store
from trainjobs.storage.store import Digest, ObjectInfo, Store

KEEP = Checkpoints(keep_latest=2, keep_best=KeepBest(count=1, metric="eval_loss"))
SAVES = 10
MEMORY = "/dev/shm"


@dataclass
class Line:
    """A node's way to storage: what it has begun to write arrives later, file after file, manifest last."""

    late: list[Callable[[], object]] = field(default_factory=list)

    def arrive(self) -> None:
        """Let everything come to storage that was written."""
        while self.late:
            self.late.pop(0)()


@dataclass
class Slow:
    """A folder at the end of a slow line. What follows the first file waits for it."""

    store: Store
    line: Line

    @property
    def uri(self) -> str:
        return self.store.uri

    @property
    def files_at_once(self) -> int:
        return 1

    def at(self, folder: str) -> "Slow":
        return Slow(self.store.at(folder), self.line)

    def check(self) -> None:
        self.store.check()

    def put(self, key: str, data: bytes) -> None:
        self._in_order(lambda: self.store.put(key, data))

    def create(self, key: str, data: bytes) -> None:
        self._in_order(lambda: self.store.create(key, data))

    def delete(self, keys: Iterable[str]) -> None:
        gone = list(keys)
        self._in_order(lambda: self.store.delete(gone))

    def delete_folder(self, folder: str) -> None:
        self._in_order(lambda: self.store.delete_folder(folder))

    def put_file(self, key: str, path: str) -> Digest:
        data = Path(path).read_bytes()
        self.line.late.append(lambda: self.store.put(key, data))
        return Digest(len(data), "0" * 64)

    def get(self, key: str) -> bytes:
        return self.store.get(key)

    def get_file(self, key: str, path: str, expected: Digest | None = None) -> Digest:
        return self.store.get_file(key, path, expected)

    def digest(self, key: str) -> Digest:
        return self.store.digest(key)

    def head(self, key: str) -> ObjectInfo | None:
        return self.store.head(key)

    def list(self, folder: str = "") -> Iterator[ObjectInfo]:
        return self.store.list(folder)

    def _in_order(self, write: Callable[[], object]) -> None:
        if self.line.late:
            self.line.late.append(write)
        else:
            write()


class Node:
    """One node's uploads, which take so many ticks of a clock each."""

    def __init__(self, root: Path, store: Store, rank: int, nodes: int, ticks: int) -> None:
        self.line = Line()
        self.output = root / f"node-{rank}"
        self.ticks = ticks
        self.busy = 0
        self.looked = False
        """Whether it has just looked: while it is busy here, its uploads believe that they are done."""
        seen = CheckpointStore(Slow(store, self.line))
        destination = AllParts(seen, 1, nodes) if rank == 0 else OnePart(seen, 1, rank)
        self.status = Status(RECIPE, attempt=1, node_rank=rank)
        self.uploads = Uploads(seen, KEEP, self.status, destination, attempt=1, tidy=True)

    def save(self, step: int, loss: float) -> None:
        """Training on this node saves."""
        folder = self.output / f"checkpoint-{step}"
        folder.mkdir(parents=True)
        (folder / self.output.name).write_bytes(b"shard")
        self.uploads.add(LocalCheckpoint(step, folder, {"eval_loss": loss}))

    def tick(self, *, more: bool) -> None:
        """Upload for another moment, or look what is to be done."""
        self.looked = not self.line.late
        if self.line.late:
            self.busy -= 1
            if self.busy <= 0:
                self.line.arrive()
            return
        self.uploads.look(more=more)
        if self.line.late:
            self.busy = self.ticks

    def folders(self) -> int:
        """How much of the disk is taken."""
        return len(list(self.output.iterdir()))


@settings(max_examples=8, deadline=None)
@given(
    ticks=st.lists(st.integers(1, 9), min_size=2, max_size=3),
    every=st.integers(2, 5),
    losses=st.lists(st.sampled_from([0.1, 0.5, 0.9]), min_size=SAVES, max_size=SAVES),
)
def test_checkpoints_are_committed_at_the_pace_of_the_slowest_node(
    ticks: list[int], every: int, losses: list[float]
) -> None:
    root = Path(tempfile.mkdtemp(prefix="turns-", dir=MEMORY))
    try:
        store = open_store(file_uri(root / "stored"))
        run = CheckpointStore(store)
        begin(run, 1)
        nodes = [Node(root, store, rank, len(ticks), each) for rank, each in enumerate(ticks)]
        steps: set[int] = set()
        for step, loss in enumerate(losses, start=1):
            for node in nodes:
                node.save(step, loss)
            for _ in range(every):
                for node in nodes:
                    node.tick(more=True)
            steps |= {ref.step for ref in run.line()}
            # The newest two and the best that wait, one since the last look, one on its way, the newest and
            # the best that are stored.
            assert all(node.folders() <= 7 for node in nodes if node.looked)
        # A turn takes what the slowest takes, and a few looks: to hear of it, and to see that all is there.
        assert len(steps) >= SAVES * every // (max(ticks) + every + 4)
        for _ in range(5 * (max(ticks) + 6)):
            for node in nodes:
                node.tick(more=False)
        assert max(run.line()).step == SAVES
        for node in nodes:
            assert node.uploads.over
            assert not node.uploads.pending
            assert not node.status.upload_failures, "a node had given up what another stored"
    finally:
        shutil.rmtree(root)
