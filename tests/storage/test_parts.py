"""A checkpoint that two nodes store: it exists when both have, and each fetches what it reads."""

import shutil
from pathlib import Path

import pytest

from tests.storage.stored_run import MakeFolder, begin, read
from trainjobs.agent.destinations import AllParts, OnePart, ScriptPart
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


def store_part(run: CheckpointStore, checkpoint: LocalCheckpoint) -> None:
    """Store node 1's part, which node 0 has asked for."""
    node = OnePart(run, 1, 1)
    node.next([checkpoint], more=True)
    node.bring(checkpoint)


@pytest.fixture
def nodes(run: CheckpointStore, make_folder: MakeFolder) -> tuple[LocalCheckpoint, LocalCheckpoint]:
    begin(run, 1)
    return LocalCheckpoint(5, make_folder(NODE_0), {"eval_loss": 0.5}), LocalCheckpoint(
        5, make_folder(NODE_1)
    )


def test_it_exists_when_the_last_part_is_there_and_not_before(
    run: CheckpointStore, nodes: tuple[LocalCheckpoint, LocalCheckpoint]
) -> None:
    first = AllParts(run, 1, nodes=2)
    assert first.bring(nodes[0]) is None
    assert first.bring(nodes[0]) is None
    assert not run.complete()
    store_part(run, nodes[1])
    assert not run.complete()
    manifest = first.bring(nodes[0])
    assert manifest is not None
    assert run.complete().keys() == {REF}
    assert manifest.metrics == {"eval_loss": 0.5}
    # Of two files of one name node 0's counts: the other is not stored.
    assert {entry.path for entry in manifest.files} == {
        *NODE_0,
        *(f"parts/0001/{name}" for name in NODE_1 if name not in NODE_0),
    }
    assert run.verify() == ()


def test_a_node_fetches_what_its_ranks_read_and_a_person_everything(
    run: CheckpointStore, nodes: tuple[LocalCheckpoint, LocalCheckpoint], tmp_path: Path
) -> None:
    store_part(run, nodes[1])
    AllParts(run, 1, nodes=2).bring(nodes[0])
    everything = {**NODE_1, **NODE_0}
    run.restore(REF, tmp_path / "all")
    assert read(tmp_path / "all") == everything
    run.restore(REF, tmp_path / "node-1", needed_by(range(1, 2)))
    assert read(tmp_path / "node-1") == {k: v for k, v in everything.items() if k != SHARD.format(0)}


def test_a_damaged_part_is_found_by_the_node_that_reads_it_and_by_verification(
    run: CheckpointStore, nodes: tuple[LocalCheckpoint, LocalCheckpoint], tmp_path: Path
) -> None:
    store_part(run, nodes[1])
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
    store_part(run, nodes[1])
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
        store_part(run, nodes[1])
    with pytest.raises(Fenced):
        AllParts(run, 1, nodes=2).bring(nodes[0])


def test_what_lacks_a_part_is_deleted_with_the_next_attempt_s_first(
    run: CheckpointStore, nodes: tuple[LocalCheckpoint, LocalCheckpoint], make_folder: MakeFolder
) -> None:
    store_part(run, nodes[1])
    begin(run, 2)
    run.save(make_folder(NODE_0), step=6, attempt=2)
    gone = run.prune(Retention(1, Best(1, "eval_loss", "Minimize")), attempt=2)
    assert gone == (REF,)
    assert not list(run.store.list(REF.folder))


def test_a_node_that_has_a_checkpoint_no_more_says_so_instead_of_being_waited_for(
    run: CheckpointStore, nodes: tuple[LocalCheckpoint, LocalCheckpoint]
) -> None:
    first, second = AllParts(run, 1, nodes=2), OnePart(run, 1, 1)
    newer = LocalCheckpoint(6, nodes[1].path)
    assert second.next([nodes[1]], more=True) is None
    assert first.bring(nodes[0]) is None
    assert first.declined() == ()
    # The disk ran short, and it was deleted for a newer one.
    assert second.next([newer], more=True) is None
    assert first.bring(nodes[0]) is None
    assert (first.declined(), first.missing()) == ((1,), (1,))
    first.next([], more=False)
    assert second.next([newer], more=False) is None
    assert second.over
    assert second.passed(newer)


def test_a_node_waits_for_what_it_has_not_saved_yet(
    run: CheckpointStore, nodes: tuple[LocalCheckpoint, LocalCheckpoint]
) -> None:
    first, second = AllParts(run, 1, nodes=2), OnePart(run, 1, 1)
    assert first.bring(nodes[0]) is None
    assert second.next([], more=True) is None
    assert second.next([nodes[1]], more=True) == nodes[1]
    second.bring(nodes[1])
    assert first.bring(nodes[0]) is not None
    assert second.next([nodes[1]], more=True) is None


def test_a_node_of_an_attempt_that_was_replaced_waits_for_no_word_of_node_0(run: CheckpointStore) -> None:
    begin(run, 1)
    node = OnePart(run, 1, 1)
    begin(run, 2)
    with pytest.raises(Fenced):
        node.next([], more=False)


class OnScript:
    """Two nodes of a user's own script, each with an output folder."""

    def __init__(self, run: CheckpointStore, tmp_path: Path) -> None:
        self.output = tmp_path / "output"
        self.first = AllParts(run, 1, nodes=2)
        self.second = ScriptPart(run, 1, 1, self.output)

    def write(self, files: dict[str, bytes]) -> Path:
        for name, data in files.items():
            path = self.output / "checkpoint-5" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        return self.output / "checkpoint-5"


def test_what_another_node_of_a_script_writes_is_its_part_whatever_the_strategy(
    run: CheckpointStore, nodes: tuple[LocalCheckpoint, LocalCheckpoint], tmp_path: Path
) -> None:
    script = OnScript(run, tmp_path)
    folder = script.write({"shard-1.pt": b"one", "model.safetensors": b"the same"})
    assert script.first.bring(nodes[0]) is None
    assert script.second.next([], more=True) is None, "it may be written to still"
    part = script.second.next([], more=False)
    assert part == LocalCheckpoint(5, folder)
    script.second.bring(part)
    manifest = script.first.bring(nodes[0])
    assert manifest is not None
    assert {entry.path for entry in manifest.files} == {*NODE_0, "parts/0001/shard-1.pt"}


def test_a_script_that_saves_on_node_0_alone_is_not_waited_for(
    run: CheckpointStore, nodes: tuple[LocalCheckpoint, LocalCheckpoint], tmp_path: Path
) -> None:
    script = OnScript(run, tmp_path)
    assert script.first.bring(nodes[0]) is None
    assert script.second.next([], more=True) is None
    assert script.first.bring(nodes[0]) is None, "its folder may be still to come"
    assert script.second.next([], more=False) is None
    manifest = script.first.bring(nodes[0])
    assert manifest is not None
    assert {entry.path for entry in manifest.files} == set(NODE_0)


def test_what_a_script_has_deleted_on_a_node_is_not_taken_for_nothing(
    run: CheckpointStore, nodes: tuple[LocalCheckpoint, LocalCheckpoint], tmp_path: Path
) -> None:
    script = OnScript(run, tmp_path)
    folder = script.write({"shard-1.pt": b"one"})
    assert script.second.next([], more=True) is None
    shutil.rmtree(folder)
    assert script.first.bring(nodes[0]) is None
    assert script.second.next([], more=False) is None
    assert script.first.bring(nodes[0]) is None
    assert script.first.declined() == (1,)
