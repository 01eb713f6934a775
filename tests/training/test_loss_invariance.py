"""The same rows per optimiser step give the same losses, however they are divided."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.training.tiny import figures, make_recipe, make_rows, train
from trainjobs.ml.training.statistics import TrainingStats

FIGURES = ("loss", "grad_norm", "eval_loss", "eval_mse", "eval_mae")
"""A correlation of nearly constant predictions would show little but rounding."""


def batches(per_device: int, accumulated: int, **more: Any) -> dict[str, Any]:
    """A way to divide the rows of a step, and an odd one to divide those of validation.

    SGD: Adam makes much of the last digit of a gradient near zero.
    """
    batch = {"batchSizePerDevice": per_device, "gradientAccumulationSteps": accumulated}
    steady = {"evalBatchSizePerDevice": 4, "learningRate": 0.05, "extraArguments": {"optim": "sgd"}}
    return {"training": {**batch, **steady, **more}}


def trained(
    folder: Path, base: Path, rows: Path, *, processes: int = 1, strategy: Any = None, **changes: Any
) -> Path:
    """Train in this process, or in several by torchrun; the output folder."""
    if processes > 1:
        changes["processes"] = {"nodes": 1, "perNode": processes, "strategy": strategy or {"type": "DDP"}}
        run_processes(make_recipe(folder, base, rows, **changes), processes)
    else:
        assert train(make_recipe(folder, base, rows, **changes)) == 0
    return folder / "output"


def run_processes(recipe: Path, count: int) -> None:
    """Train by torchrun on this machine."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={count}"]
    finished = subprocess.run(
        [*command, "-m", "trainjobs.ml.training", str(recipe)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        timeout=500,
    )
    assert finished.returncode == 0, finished.stderr.decode()[-3000:]


def assert_same(left: Path, right: Path, steps: int) -> None:
    for name in FIGURES:
        assert figures(left, name) == pytest.approx(figures(right, name), rel=3e-6, abs=1e-6), name
    assert len(figures(left)) == steps
    assert tokens(left) == tokens(right)


def tokens(output: Path) -> int:
    """How many tokens a training says to have learned from."""
    return TrainingStats.model_validate_json((output / "training_stats.json").read_bytes()).tokens


@pytest.fixture(scope="module")
def rows_59(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """59 rows to learn from, 15 to validate on."""
    return make_rows(tmp_path_factory.mktemp("rows-59") / "train.jsonl", 74)


@pytest.fixture(scope="module")
def rows_17(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """17 rows to learn from, 5 to validate on."""
    return make_rows(tmp_path_factory.mktemp("rows-17") / "train.jsonl", 22)


@pytest.fixture(scope="module")
def at_once(tmp_path_factory: pytest.TempPathFactory, steady_bert: Path, rows_59: Path) -> Path:
    """A run that takes the 16 rows of a step at once, and the 11 of an epoch's last."""
    return trained(tmp_path_factory.mktemp("at-once"), steady_bert, rows_59, **batches(16, 1))


@pytest.fixture(scope="module")
def seventeen_at_once(tmp_path_factory: pytest.TempPathFactory, steady_bert: Path, rows_17: Path) -> Path:
    """A run whose epochs end with a step of a single row."""
    return trained(tmp_path_factory.mktemp("at-once-17"), steady_bert, rows_17, **batches(16, 1))


@pytest.mark.parametrize(("per_device", "accumulated"), [(4, 4), (1, 16)])
def test_accumulation_does_not_change_the_loss_of_an_incomplete_step(
    tmp_path: Path, steady_bert: Path, rows_59: Path, at_once: Path, per_device: int, accumulated: int
) -> None:
    output = trained(tmp_path, steady_bert, rows_59, **batches(per_device, accumulated))
    assert_same(output, at_once, steps=8)


def test_thirty_rows_as_12_x_1_and_as_4_x_3_give_one_loss(tmp_path: Path, steady_bert: Path) -> None:
    rows = make_rows(tmp_path / "rows.jsonl", 37)
    outputs = [
        trained(tmp_path / str(size), steady_bert, rows, **batches(size, times, lengthGrouping=False))
        for size, times in ((12, 1), (4, 3))
    ]
    assert_same(*outputs, steps=6)


def test_two_processes_have_the_loss_of_one(
    tmp_path: Path, steady_bert: Path, rows_59: Path, at_once: Path
) -> None:
    output = trained(tmp_path, steady_bert, rows_59, processes=2, **batches(4, 2))
    assert_same(output, at_once, steps=8)
    saved = {path.name for path in (output / "checkpoint-8").iterdir()}
    assert {"rng_state_0.pth", "rng_state_1.pth"} <= saved


def test_a_process_without_a_row_in_a_step_adds_nothing(
    tmp_path: Path, steady_bert: Path, rows_17: Path, seventeen_at_once: Path
) -> None:
    output = trained(tmp_path, steady_bert, rows_17, processes=2, **batches(8, 1))
    assert_same(output, seventeen_at_once, steps=4)


def test_every_row_is_counted_once_an_epoch(rows_17: Path, seventeen_at_once: Path) -> None:
    stats = TrainingStats.model_validate_json((seventeen_at_once / "training_stats.json").read_bytes())
    assert (stats.samples, stats.train_rows, stats.epochs) == (34, 17, 2.0)


@pytest.mark.acceptance
@pytest.mark.parametrize("stage", [2, 3])
def test_zero_has_the_loss_of_one_process(
    tmp_path: Path, steady_bert: Path, rows_17: Path, seventeen_at_once: Path, stage: int
) -> None:
    strategy = {"type": "DeepSpeed", "deepSpeed": {"stage": stage}}
    output = trained(tmp_path, steady_bert, rows_17, processes=2, strategy=strategy, **batches(4, 2))
    assert_same(output, seventeen_at_once, steps=4)
