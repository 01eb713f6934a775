"""Which files of a checkpoint of several nodes are whose, and who fetches which."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainjobs.core.checkpoints.manifest import FileEntry, Manifest
from trainjobs.core.checkpoints.parts import (
    all_files,
    everything,
    files_here,
    needed_by,
    part_folder,
    split_part,
)
from trainjobs.errors import InvalidRecipe

NAMES = st.lists(st.sampled_from(["a", "b/c", "b/d", "e.pt", "trainer_state.json"]), unique=True)


def entry(path: str, size: int = 1) -> FileEntry:
    return FileEntry(path, size, "0" * 64)


def part(*paths: str, size: int = 2) -> Manifest:
    return Manifest(tuple(entry(path, size) for path in paths), 1, 5, datetime.now(UTC))


def whole(*files: FileEntry, nodes: int) -> Manifest:
    return Manifest(files, 1, 5, datetime.now(UTC), nodes=nodes)


@given(NAMES, st.lists(NAMES, max_size=4))
def test_a_checkpoint_gives_every_node_s_files_back_and_node_0_s_where_names_meet(
    own: list[str], others: list[list[str]]
) -> None:
    parts = {node: part(*paths, size=node + 1) for node, paths in enumerate(others, start=1)}
    files = all_files([entry(path) for path in own], parts)
    assert len(files) == len(own) + sum(map(len, others))
    here = files_here(whole(*files, nodes=1 + len(parts)), everything)
    assert set(here) == set(own).union(*others)
    for path, found in here.items():
        nodes = [0] * (path in own) + [node for node, manifest in parts.items() if path in others[node - 1]]
        assert split_part(found.path) == (min(nodes), path)


@given(st.integers(1, 9999), st.sampled_from(["a", "b/c", "parts/x"]))
def test_a_part_s_path_is_taken_apart_as_it_was_made(node: int, path: str) -> None:
    assert split_part(f"{part_folder(node)}/{path}") == (node, path)
    assert split_part(path) == (0, path)


def test_a_node_needs_the_shards_of_its_ranks_and_what_is_no_shard() -> None:
    shards = [f"global_step8/bf16_zero_pp_rank_{rank}_mp_rank_00_optim_states.pt" for rank in range(16)]
    common = ["global_step8/mp_rank_00_model_states.pt", "trainer_state.json", "rng_state_9.pth"]
    needs = needed_by(range(8, 16))
    assert [path for path in [*shards, *common] if needs(path)] == [*shards[8:], *common]


def test_node_0_may_not_write_where_other_nodes_parts_lie() -> None:
    with pytest.raises(InvalidRecipe, match=r"parts/0001/x: the folder parts is kept"):
        all_files([entry("parts/0001/x")], {1: part("a")})


def test_a_folder_of_that_name_is_a_folder_where_one_node_stored_all() -> None:
    files = all_files([entry("parts/0001/x"), entry("x")], {})
    assert set(files_here(whole(*files, nodes=1), everything)) == {"parts/0001/x", "x"}
