"""A checkpoint that two nodes store: it exists when both have, and each fetches what it reads."""

from pathlib import Path

import pytest

from tests.storage.stored_run import MakeFolder, begin, read
from trainjobs.agent.destinations import AllParts, OnePart
from trainjobs.agent.watch import LocalCheckpoint
from trainjobs.core.checkpoints.layout import CheckpointRef
from trainjobs.core.checkpoints.parts import needed_by
from trainjobs.core.checkpoints.retention import Best, Retention
from trainjobs.errors import CorruptCheckpoint, Fenced
from trainjobs.storage.checkpoints import CheckpointStore

SHARD = "global_step5/zero_pp_rank_{}_mp_rank_00_optim_states.pt"
NODE_0 = {"trainer_state.json": b"{}", "model.safetensors": b"weights", SHARD.format(0): b"zero"}
NODE_1 = {"trainer_state.json": b"another", "rng_state_1.pth": b"random", SHARD.format(1): b"one"}
REF = CheckpointRef(5, 1)


@pytest.fixture
def nodes(run: CheckpointStore, make_folder: MakeFolder) -> tuple[LocalCheckpoint, LocalCheckpoint]:
    begin(run, 1)
    return LocalCheckpoint(5, make_folder(NODE_0), {"eval_loss": 0.5}), LocalCheckpoint(
        5, make_folder(NODE_1)
    )


def test_it_exists_when_the_last_part_is_there_and_not_before(
    run: CheckpointStore, nodes: tuple[LocalCheckpoint, LocalCheckpoint]
) -> None:
    first, second = AllParts(run, 1, nodes=2), OnePart(run, 1, 1)
    assert first.bring(nodes[0]) is None
    assert first.bring(nodes[0]) is None
    assert not run.complete()
    second.bring(nodes[1])
    assert not run.complete()
    manifest = first.bring(nodes[0])
    assert manifest is not None
    assert run.complete().keys() == {REF}
    assert manifest.metrics == {"eval_loss": 0.5}
    assert manifest.size == sum(len(data) for data in [*NODE_0.values(), *NODE_1.values()])
    assert run.verify() == ()


def test_a_node_fetches_what_its_ranks_read_and_a_person_everything(
    run: CheckpointStore, nodes: tuple[LocalCheckpoint, LocalCheckpoint], tmp_path: Path
) -> None:
    OnePart(run, 1, 1).bring(nodes[1])
    AllParts(run, 1, nodes=2).bring(nodes[0])
    everything = {**NODE_1, **NODE_0}
    run.restore(REF, tmp_path / "all")
    assert read(tmp_path / "all") == everything
    run.restore(REF, tmp_path / "node-1", needed_by(range(1, 2)))
    assert read(tmp_path / "node-1") == {k: v for k, v in everything.items() if k != SHARD.format(0)}


def test_a_damaged_part_is_found_by_the_node_that_reads_it_and_by_verification(
    run: CheckpointStore, nodes: tuple[LocalCheckpoint, LocalCheckpoint], tmp_path: Path
) -> None:
    OnePart(run, 1, 1).bring(nodes[1])
    AllParts(run, 1, nodes=2).bring(nodes[0])
    key = f"parts/0001/{SHARD.format(1)}"
    run.store.put(f"{REF.folder}/{key}", b"two")
    run.restore(REF, tmp_path / "node-0", needed_by(range(1)))
    with pytest.raises(CorruptCheckpoint, match="zero_pp_rank_1"):
        run.restore(REF, tmp_path / "node-1", needed_by(range(1, 2)))
    assert [damage.file for damage in run.verify()] == [key]


@pytest.mark.parametrize("data", [None, b"on"])
def test_a_part_that_is_gone_or_cut_off_is_found_by_the_node_that_chooses(
    run: CheckpointStore,
    nodes: tuple[LocalCheckpoint, LocalCheckpoint],
    tmp_path: Path,
    data: bytes | None,
) -> None:
    OnePart(run, 1, 1).bring(nodes[1])
    AllParts(run, 1, nodes=2).bring(nodes[0])
    key = f"{REF.folder}/parts/0001/{SHARD.format(1)}"
    run.store.delete([key])
    if data is not None:
        run.store.put(key, data)
    with pytest.raises(CorruptCheckpoint, match=r"zero_pp_rank_1.*(not there|has 2 bytes instead of 3)"):
        run.restore(REF, tmp_path / "node-0", needed_by(range(1)))


def test_a_part_of_an_attempt_that_was_replaced_is_refused(
    run: CheckpointStore, nodes: tuple[LocalCheckpoint, LocalCheckpoint]
) -> None:
    begin(run, 2)
    with pytest.raises(Fenced):
        OnePart(run, 1, 1).bring(nodes[1])
    with pytest.raises(Fenced):
        AllParts(run, 1, nodes=2).bring(nodes[0])


def test_what_lacks_a_part_is_deleted_with_the_next_attempt_s_first(
    run: CheckpointStore, nodes: tuple[LocalCheckpoint, LocalCheckpoint], make_folder: MakeFolder
) -> None:
    OnePart(run, 1, 1).bring(nodes[1])
    begin(run, 2)
    run.save(make_folder(NODE_0), step=6, attempt=2)
    gone = run.prune(Retention(1, Best(1, "eval_loss", "Minimize")), attempt=2)
    assert gone == (REF,)
    assert not list(run.store.list(REF.folder))
