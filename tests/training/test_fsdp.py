"""FSDP: every process holds, saves and reads its part; what is learned is what one process learns."""

import json
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from safetensors.torch import load_file
from torch import Tensor
from torch.distributed.checkpoint.format_utils import dcp_to_torch_save

from tests.harness.small_disk import small_files
from tests.harness.versitygw import free_port
from tests.training.test_loss_invariance import run_processes
from tests.training.tiny import figures, make_recipe, merge, train
from trainjobs.core.outputs import Done, SavedMark
from trainjobs.errors import CorruptCheckpoint, TrainingError
from trainjobs.ml.training.resuming import read_state
from trainjobs.ml.training.session import read_recipe

# So high that the first epoch is the best: the result is not simply the last step.
LEARNING = {"learningRate": 0.02}


def recipe(folder: Path, base: Path, rows: Path, count: int, **changes: Any) -> Path:
    """Write a recipe of processes that share the model out, 16 rows a step."""
    document: dict[str, Any] = {
        "training": {**LEARNING, "batchSizePerDevice": 16 // count},
        "processes": {"nodes": 1, "perNode": count, "strategy": {"type": "FSDP"}},
    }
    merge(document, changes)
    return make_recipe(folder, base, rows, **document)


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory, steady_bert: Path, rows: Path) -> list[Path]:
    """The outputs of a run on two nodes with a process each; check_sharded ends one that trains copies."""
    folder = tmp_path_factory.mktemp("fsdp")
    port = free_port()
    started = []
    for rank in (0, 1):
        changes = {"processes": {"nodes": 2, "perNode": 1}}
        path = recipe(folder / f"node-{rank}", steady_bert, rows, 2, **changes)
        place = {"RANK": str(rank), "LOCAL_RANK": "0", "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "1"}
        address = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-m", "trainjobs.ml.training", str(path)]
        started.append(subprocess.Popen(command, env={**os.environ, **place, **address}))
    assert [one.wait(timeout=500) for one in started] == [0, 0]
    return [folder / f"node-{rank}" / "output" for rank in (0, 1)]


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory, nodes: list[Path]) -> Path:
    """The same with the parts of its checkpoints put together, as storage gives them back."""
    output = tmp_path_factory.mktemp("two") / "output"
    for node in reversed(nodes):
        shutil.copytree(node, output, dirs_exist_ok=True)
    return output


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory, steady_bert: Path, rows: Path) -> Path:
    """The output of the same run of one process, without sharding."""
    folder = tmp_path_factory.mktemp("plain")
    training = {**LEARNING, "batchSizePerDevice": 16}
    assert train(make_recipe(folder, steady_bert, rows, training=training)) == 0
    return folder / "output"


def assert_same(output: Path, expected: Path, *, relative: float = 1e-5) -> None:
    for name in ("loss", "grad_norm", "eval_loss"):
        assert figures(expected, name)
        assert figures(output, name) == pytest.approx(figures(expected, name), rel=relative), name


def whole(shards: Path, aside: Path) -> dict[str, Any]:
    """What a folder of shards holds, put together by torch."""
    dcp_to_torch_save(shards, aside)
    state: dict[str, Any] = torch.load(aside, weights_only=True)
    return state


def equal(left: dict[str, Tensor], right: dict[str, Tensor]) -> bool:
    return left.keys() == right.keys() and all(torch.allclose(left[n], right[n], atol=1e-6) for n in left)


def test_two_processes_that_share_the_model_learn_what_one_does(two: Path, plain: Path) -> None:
    assert_same(two, plain)
    result, reference = (load_file(output / "model" / "model.safetensors") for output in (two, plain))
    assert result.keys() == reference.keys()
    assert all(torch.allclose(result[name], reference[name], atol=1e-4) for name in reference)


def test_the_result_holds_the_weights_of_the_best_step(two: Path, tmp_path: Path) -> None:
    best = Done.model_validate_json((two / "done.json").read_bytes()).best
    assert best is not None
    assert best.step == 4
    result = load_file(two / "model" / "model.safetensors")
    assert equal(result, whole(two / "checkpoint-4" / "weights", tmp_path / "4.pt"))
    assert not equal(result, whole(two / "checkpoint-8" / "weights", tmp_path / "8.pt"))


def test_every_node_saves_its_part_of_weights_and_optimizer(
    nodes: list[Path], two: Path, tmp_path: Path
) -> None:
    checkpoint = two / "checkpoint-8"
    for kind in ("weights", "optimizer"):
        held = [sorted((node / "checkpoint-8" / kind).glob("*.distcp")) for node in nodes]
        assert [[path.name for path in paths] for paths in held] == [["__0_0.distcp"], ["__1_0.distcp"]]
        sizes = [path.stat().st_size for paths in held for path in paths]
        assert max(sizes) < 1.5 * min(sizes)
    state = whole(checkpoint / "optimizer", tmp_path / "optimizer.pt")["state"]
    assert state["bert.encoder.layer.1.output.dense.weight"]["exp_avg"].shape == (32, 64)
    assert not list(checkpoint.glob("*.safetensors"))
    assert SavedMark.model_validate_json((checkpoint / "trainjobs-saved.json").read_bytes()).processes == 2


@pytest.mark.parametrize("processes", [1, pytest.param(2, marks=pytest.mark.acceptance)])
def test_a_resume_gives_the_losses_of_an_uninterrupted_run_whoever_goes_on(
    tmp_path: Path, steady_bert: Path, rows: Path, two: Path, processes: int
) -> None:
    output = tmp_path / "output"
    shutil.copytree(two, output)
    for folder in ("checkpoint-8", "model"):
        shutil.rmtree(output / folder)
    resume = {"resumeFrom": str(output / "checkpoint-4")}
    again = recipe(tmp_path, steady_bert, rows, processes, inputs=resume)
    if processes == 1:
        assert train(again) == 0
    else:
        run_processes(again, processes)
    assert json.loads((output / "training_stats.json").read_text())["resumedFromStep"] == 4
    assert_same(output, two)
    written = sorted(path.name for path in (output / "checkpoint-8" / "weights").glob("*.distcp"))
    assert written == [f"__{rank}_0.distcp" for rank in range(processes)]
    assert equal(
        load_file(output / "model" / "model.safetensors"), load_file(two / "model" / "model.safetensors")
    )


@pytest.mark.acceptance
def test_two_processes_go_on_from_what_one_has_saved(
    tmp_path: Path, steady_bert: Path, rows: Path, two: Path
) -> None:
    assert train(recipe(tmp_path, steady_bert, rows, 1)) == 0
    resume = {"resumeFrom": str(tmp_path / "output" / "checkpoint-4")}
    run_processes(recipe(tmp_path, steady_bert, rows, 2, inputs=resume), 2)
    assert_same(tmp_path / "output", two)


@pytest.mark.acceptance
def test_a_finished_run_makes_its_result_again(
    tmp_path: Path, steady_bert: Path, rows: Path, two: Path
) -> None:
    output = tmp_path / "output"
    shutil.copytree(two, output)
    shutil.rmtree(output / "model")
    resume = {"resumeFrom": str(output / "checkpoint-8")}
    run_processes(recipe(tmp_path, steady_bert, rows, 2, inputs=resume), 2)
    again, before = (load_file(folder / "model" / "model.safetensors") for folder in (output, two))
    assert equal(again, before)


@pytest.mark.acceptance
@pytest.mark.parametrize(("precision", "relative"), [("FP32", 1e-5), ("BF16", 3e-2)])
def test_an_adapter_is_dealt_out_with_its_frozen_base(
    tmp_path: Path, steady_bert: Path, rows: Path, precision: str, relative: float
) -> None:
    changes = {
        "adapter": {"type": "LoRA", "lora": {"rank": 4, "dropout": 0.0}},
        "training": {
            "precision": precision,
            "gradientCheckpointing": True,
            "gradientAccumulationSteps": 2,
            "batchSizePerDevice": 4,
            "maxGradNorm": 0.5,
            "weightDecay": 0.1,
        },
        "processes": {"strategy": {"fsdp": {"sharding": "GradientsAndOptimizer", "cpuOffload": True}}},
    }
    run_processes(recipe(tmp_path / "two", steady_bert, rows, 2, **changes), 2)
    alone = {**changes, "processes": {}}
    merge(alone, {"training": {**LEARNING, "batchSizePerDevice": 8}})
    assert train(make_recipe(tmp_path / "one", steady_bert, rows, **alone)) == 0
    output = tmp_path / "two" / "output"
    assert_same(output, tmp_path / "one" / "output", relative=relative)
    saved = whole(output / "checkpoint-8" / "weights", tmp_path / "weights.pt")
    assert saved
    assert not any("base_layer" in name for name in saved)
    assert (output / "adapter" / "adapter_model.safetensors").is_file()
    expected = figures(output)
    resume = {"resumeFrom": str(output / "checkpoint-4")}
    run_processes(recipe(tmp_path / "two", steady_bert, rows, 2, inputs=resume, **changes), 2)
    assert figures(output) == pytest.approx(expected, rel=1e-5)


def test_what_a_disk_says_of_shards_is_passed_on(
    tmp_path: Path, steady_bert: Path, rows: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = recipe(tmp_path, steady_bert, rows, 1)
    try:
        with small_files(32_000):
            assert train(path) == TrainingError.exit_code
    finally:
        # A process that fails ends: here others follow.
        dist.destroy_process_group()
    assert "error: OSError: [Errno 27] File too large" in capsys.readouterr().err


def test_a_checkpoint_that_lacks_a_shard_or_would_run_code_is_refused(
    tmp_path: Path, steady_bert: Path, rows: Path, two: Path
) -> None:
    checkpoint = tmp_path / "output" / "checkpoint-4"
    shutil.copytree(two / "checkpoint-4", checkpoint)
    parsed = read_recipe(recipe(tmp_path, steady_bert, rows, 2))
    assert read_state(checkpoint, parsed).global_step == 4
    (checkpoint / "optimizer" / "__1_0.distcp").unlink()
    with pytest.raises(CorruptCheckpoint, match=r"checkpoint-4 has no optimizer/__1_0\.distcp: resume from"):
        read_state(checkpoint, parsed)
    (checkpoint / "weights" / ".metadata").write_bytes(pickle.dumps(shutil.rmtree))
    with pytest.raises(
        CorruptCheckpoint, match=r"\.metadata cannot be read: shutil\.rmtree is no part of it"
    ):
        read_state(checkpoint, parsed)
