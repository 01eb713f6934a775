"""Checkpoints on their way to a real folder that is away for a while."""

import math
import shutil
import socket
import time
from pathlib import Path

import pytest

from tests.harness.attempts import begin
from trainjobs.agent import uploads
from trainjobs.agent.company import Company
from trainjobs.agent.destinations import AllParts, OnePart, Whole
from trainjobs.agent.status import Status
from trainjobs.agent.stored import fetch_best_weights, retention_of
from trainjobs.agent.sync import CheckpointSync
from trainjobs.agent.watch import LocalCheckpoint
from trainjobs.api.checkpoints import Checkpoints, KeepBest
from trainjobs.core.checkpoints.layout import CheckpointRef
from trainjobs.core.recipe.model import Recipe
from trainjobs.core.uris import file_uri
from trainjobs.errors import Fenced
from trainjobs.storage.checkpoints import CheckpointStore
from trainjobs.storage.opening import open_store

KEEP = Checkpoints(keep_latest=2, keep_best=KeepBest(count=1, metric="eval_loss"))
RECIPE = Recipe.model_validate(
    {
        "run": {"kind": "SFTRun", "namespace": "ml", "name": "tiny", "uid": "12345678-x"},
        "task": "SFT",
        "model": {"uri": "file:///m"},
        "dataset": {"train": "file:///d/train.jsonl"},
        "training": {},
        "processes": {"nodes": 1, "perNode": 1},
        "checkpoints": {},
        "limits": {"startTimeoutSeconds": 1, "hangTimeoutSeconds": 1},
        "store": "file:///s",
    }
)


class Place:
    """A store, an agent's status, and folders of checkpoints."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.stored = root / "stored"
        self.stored.mkdir()
        self.store = CheckpointStore(open_store(file_uri(self.stored)))
        begin(self.store, 1, "job", "pod")
        self.status = Status(RECIPE, attempt=1, node_rank=0)

    def sync(self, *, tidy: bool = True) -> CheckpointSync:
        return CheckpointSync(self.store, KEEP, self.status, Whole(self.store, 1), attempt=1, tidy=tidy)

    def checkpoint(self, step: int, **metrics: float) -> LocalCheckpoint:
        path = self.root / "output" / f"checkpoint-{step}"
        path.mkdir(parents=True)
        (path / "model.safetensors").write_bytes(b"%d" % step)
        (path / "optimizer.pt").write_bytes(b"o")
        return LocalCheckpoint(step, path, metrics)

    def local(self) -> list[int]:
        return sorted(int(p.name.partition("-")[2]) for p in (self.root / "output").iterdir())

    def away(self) -> None:
        self.stored.rename(self.root / "elsewhere")
        self.stored.write_text("a file where the folder was")

    def back(self) -> None:
        self.stored.unlink()
        (self.root / "elsewhere").rename(self.stored)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def wait_until(what) -> None:
    deadline = time.monotonic() + 60
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_storage_and_disk_keep_the_newest_and_the_best(place):
    sync = place.sync()
    for step, loss in ((1, 0.5), (2, 0.1), (3, 0.4), (4, 0.3), (5, 0.2)):
        sync.add(place.checkpoint(step, eval_loss=loss))
        assert sync.drain(60)
    assert [ref.step for ref in place.store.complete()] == [2, 4, 5]
    assert place.local() == [2, 5]
    checkpoints = place.status.checkpoints
    assert (checkpoints.latest.step, checkpoints.best.step, checkpoints.count) == (5, 2, 3)
    sync.close()


def test_a_users_own_folders_are_left_alone(place):
    sync = place.sync(tidy=False)
    for step in (1, 2, 3, 4):
        sync.add(place.checkpoint(step))
        assert sync.drain(60)
    assert place.local() == [1, 2, 3, 4]
    sync.close()


def test_while_storage_is_away_nothing_is_lost_but_what_retention_would_delete(place):
    sync = place.sync()
    place.away()
    sync.add(place.checkpoint(1, eval_loss=0.9))
    wait_until(lambda: not place.status.sync.healthy)
    for step, loss in ((2, 0.1), (3, 0.5), (4, 0.4), (5, 0.3), (6, 0.2)):
        sync.add(place.checkpoint(step, eval_loss=loss))
    said = place.status.sync
    assert (said.reason, said.pending) == ("StorageUnusable", 4)
    assert place.local() == [1, 2, 5, 6]
    assert not sync.drain(0.1)
    place.back()
    assert sync.drain(60)
    assert [ref.step for ref in place.store.complete()] == [2, 5, 6]
    assert place.status.sync.healthy
    assert place.status.sync.pending == 0
    assert place.status.upload_failures >= 1
    sync.close()


def test_a_folder_that_goes_away_before_its_turn_is_given_up(place):
    sync = place.sync()
    place.away()
    gone, kept = place.checkpoint(1), place.checkpoint(2)
    sync.add(gone)
    sync.add(kept)
    wait_until(lambda: not place.status.sync.healthy)
    shutil.rmtree(gone.path)
    place.back()
    assert sync.drain(60)
    assert [ref.step for ref in place.store.complete()] == [2]
    sync.close()


def test_a_newer_claim_ends_the_uploads(place):
    sync = place.sync()
    begin(place.store, 2, "job-2", "pod-2")
    sync.add(place.checkpoint(1))
    assert not sync.drain(60)
    assert isinstance(sync.fenced, Fenced)
    assert place.store.complete() == {}


def test_the_best_weights_of_an_earlier_attempt_are_brought_along(place):
    sync = place.sync()
    for step, loss in ((1, 0.1), (2, 0.5)):
        sync.add(place.checkpoint(step, eval_loss=loss))
    assert sync.drain(60)
    sync.close()
    folder = place.root / "resume"
    told = place.status.pass_over
    best = fetch_best_weights(place.store, CheckpointRef(2, 1), retention_of(KEEP), folder, told)
    assert best == CheckpointRef(1, 1)
    assert [path.name for path in (folder / "checkpoint-1").iterdir()] == ["model.safetensors"]
    assert fetch_best_weights(place.store, CheckpointRef(1, 1), retention_of(KEEP), folder, told) is None
    assert place.status.heartbeat().damaged == []
    weights = place.stored / CheckpointRef(1, 1).folder / "model.safetensors"
    weights.write_bytes(b"X")
    assert fetch_best_weights(place.store, CheckpointRef(2, 1), retention_of(KEEP), folder, told) is None
    assert "the last weights are the result" in place.status.heartbeat().damaged[0].message


def test_shards_of_the_best_weights_come_from_every_node(place):
    for step, loss in ((1, 0.1), (2, 0.5)):
        ref, metrics = CheckpointRef(step, 1), {"eval_loss": loss}
        written = [place.root / f"node-{rank}" / f"{step}" for rank in (0, 1)]
        for rank, folder in enumerate(written):
            for kind in ("weights", "optimizer"):
                (folder / kind).mkdir(parents=True)
                (folder / kind / f"__{rank}_0.distcp").write_bytes(b"shard")
        part = place.store.parts.save(ref, 1, written[1])
        place.store.commit(ref, place.store.upload(ref, written[0]), parts={1: part}, metrics=metrics)
    folder = place.root / "resume"
    fetch_best_weights(place.store, CheckpointRef(2, 1), retention_of(KEEP), folder, place.status.pass_over)
    fetched = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    assert fetched == [f"checkpoint-1/weights/__{rank}_0.distcp" for rank in (0, 1)]


def of_two_nodes(place: Place) -> CheckpointSync:
    return CheckpointSync(
        place.store, KEEP, place.status, AllParts(place.store, 1, nodes=2), attempt=1, tidy=True
    )


def store_part(place: Place, step: int, *, more: bool = True) -> None:
    """Store node 1's part of what node 0 names."""
    node = OnePart(place.store, 1, 1)
    folder = place.root / f"part-{step}"
    folder.mkdir(exist_ok=True)
    (folder / "shard.pt").write_bytes(b"s")
    waiting = [LocalCheckpoint(step, folder)]
    wait_until(lambda: node.next(waiting, more=more) is not None)
    node.bring(waiting[0])


def test_nodes_store_one_checkpoint_after_the_other_and_node_0_says_which(place: Place) -> None:
    sync = of_two_nodes(place)
    sync.add(place.checkpoint(1, eval_loss=0.9))
    wait_until(lambda: place.store.parts.called(1) is not None)
    for step in range(2, 7):
        sync.add(place.checkpoint(step, eval_loss=1 / step))
    assert not sync.drain(0.5)
    assert not place.store.complete()
    # What is begun is not given up for newer ones, of which retention keeps two.
    for step in (1, 5, 6):
        store_part(place, step)
        wait_until(lambda step=step: CheckpointRef(step, 1) in place.store.complete())
    assert sync.drain(60)
    turn = place.store.parts.called(1)
    assert turn is not None
    assert turn.step is None
    sync.close()


def test_a_checkpoint_that_another_node_has_no_more_is_given_up_for_the_next(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    sync = of_two_nodes(place)
    sync.add(place.checkpoint(1, eval_loss=0.1))
    sync.add(place.checkpoint(2, eval_loss=0.2))
    node = OnePart(place.store, 1, 1)
    newer = [LocalCheckpoint(2, place.root)]
    wait_until(lambda: node.next(newer, more=True) is not None)
    assert "step 1 is given up: no part of node 1" in caplog.text
    assert not list((place.stored / "checkpoints/step-00000001-a0001").glob("*"))
    store_part(place, 2)
    assert sync.drain(60)
    assert place.store.complete().keys() == {CheckpointRef(2, 1)}
    sync.close()


def test_a_part_that_is_long_in_coming_is_told(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "_TOLD_AFTER_SECONDS", 0.2)
    sync = of_two_nodes(place)
    sync.add(place.checkpoint(3))
    wait_until(lambda: place.status.sync.reason == "PartsMissing")
    assert place.status.sync.healthy
    assert place.status.sync.message.startswith(
        "the checkpoint of step 3 waits for the part of node 1, since "
    )
    store_part(place, 3)
    wait_until(lambda: not place.status.sync.reason)
    sync.close()


@pytest.mark.parametrize("node", [0, 1])
def test_nobody_waits_for_a_node_that_is_gone(place: Place, node: int) -> None:
    here, there = socket.socketpair()
    destination = OnePart(place.store, 1, 1) if node else AllParts(place.store, 1, nodes=2)
    sync = CheckpointSync(place.store, KEEP, place.status, destination, attempt=1, tidy=True)
    sync.company = Company({1 - node: here})
    sync.add(place.checkpoint(1))
    assert not sync.drain(4), "it is there, and its part may come"
    there.close()
    assert not sync.drain(math.inf)
    sync.close()
