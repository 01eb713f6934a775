"""The same global batch gives the same losses, however it is divided."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.training.tiny import figures, make_recipe, train

GLOBAL_BATCH = 16
"""64 training rows are four full batches of it."""


@pytest.fixture(scope="module")
def at_once(tmp_path_factory: pytest.TempPathFactory, steady_bert: Path, rows: Path) -> Path:
    """A run that takes each global batch at once."""
    folder = tmp_path_factory.mktemp("at-once")
    recipe = make_recipe(folder, steady_bert, rows, training={"batchSizePerDevice": GLOBAL_BATCH})
    assert train(recipe) == 0
    return folder / "output"


def assert_same_figures(left: Path, right: Path) -> None:
    for name in ("loss", "grad_norm", "eval_loss", "eval_pearson"):
        assert figures(left, name) == pytest.approx(figures(right, name), abs=1e-5)
    assert len(figures(left)) == 8


def test_accumulation_does_not_change_the_loss(
    tmp_path: Path, steady_bert: Path, rows: Path, at_once: Path
) -> None:
    training = {"batchSizePerDevice": GLOBAL_BATCH // 4, "gradientAccumulationSteps": 4}
    assert train(make_recipe(tmp_path, steady_bert, rows, training=training)) == 0
    assert_same_figures(tmp_path / "output", at_once)


def test_two_processes_have_the_loss_of_one(
    tmp_path: Path, steady_bert: Path, rows: Path, at_once: Path
) -> None:
    recipe = make_recipe(
        tmp_path,
        steady_bert,
        rows,
        training={"batchSizePerDevice": GLOBAL_BATCH // 2},
        processes={"nodes": 1, "perNode": 2},
    )
    run_processes(recipe, 2)
    assert_same_figures(tmp_path / "output", at_once)
    saved = {path.name for path in (tmp_path / "output" / "checkpoint-8").iterdir()}
    assert {"rng_state_0.pth", "rng_state_1.pth"} <= saved


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
