"""Weights shared out by ZeRO stage 3: partitioned while training, whole in the result."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from tests.training.test_loss_invariance import run_processes
from tests.training.tiny import figures, make_recipe, merge
from trainjobs.core.outputs import Done
from trainjobs.errors import InvalidRecipe
from trainjobs.ml.training.resuming import read_state
from trainjobs.ml.training.session import read_recipe

# So high that the first epoch is the best: the result is not simply the last step.
LEARNING = {"batchSizePerDevice": 8, "learningRate": 0.02}


def sharded_recipe(folder: Path, base: Path, rows: Path, stage: int, **changes: Any) -> Path:
    """Write a recipe of two processes that share the model out."""
    document: dict[str, Any] = {
        "training": LEARNING,
        "processes": {
            "nodes": 1,
            "perNode": 2,
            "strategy": {"type": "DeepSpeed", "deepSpeed": {"stage": stage}},
        },
    }
    merge(document, changes)
    return make_recipe(folder, base, rows, **document)


@pytest.fixture(scope="module")
def zero_3(tmp_path_factory: pytest.TempPathFactory, steady_bert: Path, rows: Path) -> Path:
    """The output of a whole run; check_sharded ends one that is not partitioned."""
    folder = tmp_path_factory.mktemp("zero-3")
    run_processes(sharded_recipe(folder, steady_bert, rows, 3), 2)
    return folder / "output"


def predictions(output: Path) -> list[float]:
    """What the final evaluation predicted, row after row."""
    lines = (output / "predictions.jsonl").read_text().splitlines()
    assert lines
    return [value for line in lines for value in json.loads(line)["predicted"].values()]


@pytest.mark.acceptance
def test_zero_3_ends_with_the_model_of_ddp_at_its_best_step(
    tmp_path: Path, steady_bert: Path, rows: Path, zero_3: Path
) -> None:
    copies = {"training": LEARNING, "processes": {"nodes": 1, "perNode": 2}}
    run_processes(make_recipe(tmp_path, steady_bert, rows, **copies), 2)
    expected = tmp_path / "output"
    for name in ("loss", "eval_loss", "eval_pearson"):
        assert figures(zero_3, name) == pytest.approx(figures(expected, name), abs=1e-4)
    best = Done.model_validate_json((zero_3 / "done.json").read_bytes()).best
    assert best is not None
    assert best.step == 4
    result = load_file(zero_3 / "model" / "model.safetensors")
    reference = load_file(expected / "model" / "model.safetensors")
    assert result.keys() == reference.keys()
    assert all(torch.allclose(result[name], reference[name], atol=1e-4) for name in reference)
    last = load_file(zero_3 / "checkpoint-8" / "model.safetensors")
    assert not torch.allclose(result["classifier.weight"], last["classifier.weight"], atol=1e-4)
    assert predictions(zero_3) == pytest.approx(predictions(expected), abs=1e-4)
    assert (zero_3 / "report.html").is_file()


def test_zero_3_partitions_its_weights(zero_3: Path) -> None:
    states = sorted((zero_3 / "checkpoint-8" / "global_step8").glob("*optim_states.pt"))
    assert len(states) == 2
    whole = sum(t.numel() for t in load_file(zero_3 / "model" / "model.safetensors").values())
    for path in states:
        # DeepSpeed's own file: it holds classes of DeepSpeed beside tensors.
        shard = torch.load(path, weights_only=False)["optimizer_state_dict"]["fp32_flat_groups"]
        held = sum(tensor.numel() for tensor in shard)
        assert whole / 2 <= held < 0.6 * whole


@pytest.mark.parametrize("stage", [pytest.param(2, marks=pytest.mark.acceptance), 3])
def test_a_resume_with_shards_gives_the_losses_of_an_uninterrupted_run(
    tmp_path: Path, steady_bert: Path, rows: Path, zero_3: Path, stage: int
) -> None:
    if stage == 3:
        output = tmp_path / "output"
        shutil.copytree(zero_3, output)
    else:
        run_processes(sharded_recipe(tmp_path, steady_bert, rows, stage), 2)
        output = tmp_path / "output"
    expected, expected_eval = figures(output), figures(output, "eval_loss")
    resume = {"resumeFrom": str(output / "checkpoint-4")}
    run_processes(sharded_recipe(tmp_path, steady_bert, rows, stage, inputs=resume), 2)
    assert figures(output) == pytest.approx(expected, abs=1e-6)
    assert figures(output, "eval_loss") == pytest.approx(expected_eval, abs=1e-6)
    assert json.loads((output / "training_stats.json").read_text())["resumedFromStep"] == 4


def test_shards_of_another_number_of_processes_are_refused(
    tmp_path: Path, steady_bert: Path, rows: Path, zero_3: Path
) -> None:
    recipe = sharded_recipe(
        tmp_path,
        steady_bert,
        rows,
        3,
        processes={"perNode": 1},
        inputs={"resumeFrom": str(zero_3 / "checkpoint-4")},
    )
    parsed = read_recipe(recipe)
    with pytest.raises(
        InvalidRecipe, match=r"spec\.topology: checkpoint-4 was saved by 2 processes"
    ) as caught:
        read_state(zero_3 / "checkpoint-4", parsed)
    assert "with 1: set nodes x processesPerNode to 2 again" in str(caught.value)


def test_a_finished_run_with_shards_makes_its_result_again(
    tmp_path: Path, steady_bert: Path, rows: Path, zero_3: Path
) -> None:
    output = tmp_path / "output"
    shutil.copytree(zero_3, output)
    shutil.rmtree(output / "model")
    resume = {"resumeFrom": str(output / "checkpoint-8")}
    run_processes(sharded_recipe(tmp_path, steady_bert, rows, 3, inputs=resume), 2)
    again = load_file(output / "model" / "model.safetensors")
    before = load_file(zero_3 / "model" / "model.safetensors")
    assert all(torch.equal(again[name], before[name]) for name in before)
