"""A training that was killed goes on as if nothing had happened."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.training.tiny import figures, make_recipe, train
from trainjobs.core.outputs import EXTERNAL, Failure

ROWS_AND_STEPS = {
    # Checkpoints in the middle of an epoch, validation elsewhere, an incomplete last batch of length groups.
    "training": {"epochs": 3, "evalEverySteps": 5, "gradientAccumulationSteps": 2, "batchSizePerDevice": 3},
    "checkpoints": {"saveEverySteps": 7},
}


def start(recipe: Path) -> subprocess.Popen[bytes]:
    """Train in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "trainjobs.ml.training", str(recipe)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def wait_for(path: Path, process: subprocess.Popen[bytes]) -> None:
    """Wait until `path` is there, as long as the process lives."""
    while not path.exists():
        assert process.poll() is None, process.stderr.read().decode() if process.stderr else ""
        time.sleep(0.01)


def test_losses_and_weights_after_a_kill_equal_those_of_an_uninterrupted_run(
    tmp_path: Path, bert: Path, rows: Path
) -> None:
    whole = make_recipe(tmp_path / "whole", bert, rows, **ROWS_AND_STEPS)
    assert train(whole) == 0
    output = tmp_path / "killed" / "output"
    killed = make_recipe(tmp_path / "killed", bert, rows, **ROWS_AND_STEPS)
    process = start(killed)
    wait_for(output / "checkpoint-14", process)
    process.send_signal(signal.SIGKILL)
    process.wait()
    # Were later steps reached before the kill, they are trained again.
    resume = {"resumeFrom": str(output / "checkpoint-14")}
    assert train(make_recipe(tmp_path / "killed", bert, rows, **ROWS_AND_STEPS, inputs=resume)) == 0
    uninterrupted = figures(tmp_path / "whole" / "output")
    assert sorted(uninterrupted) == list(range(1, 34))
    assert figures(output) == uninterrupted
    assert figures(output, "eval_loss") == figures(tmp_path / "whole" / "output", "eval_loss")
    for name in ("model/model.safetensors", "checkpoint-33/model.safetensors"):
        expected, found = load_file(tmp_path / "whole" / "output" / name), load_file(output / name)
        assert all(torch.equal(expected[key], found[key]) for key in expected)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_resume_between_two_epochs_is_exact_too(
    tmp_path: Path, bert: Path, rows: Path, workers: int
) -> None:
    changes = {"training": {"epochs": 2, "dataWorkers": workers, "lengthGrouping": False}}
    recipe = make_recipe(tmp_path, bert, rows, **changes)
    assert train(recipe) == 0
    expected = figures(tmp_path / "output")
    resume = {"resumeFrom": str(tmp_path / "output" / "checkpoint-8")}
    assert train(make_recipe(tmp_path, bert, rows, **changes, inputs=resume)) == 0
    assert figures(tmp_path / "output") == expected


def test_an_attempt_in_a_new_folder_has_the_history_of_those_before_it(
    tmp_path: Path, bert: Path, rows: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert train(make_recipe(tmp_path / "first", bert, rows)) == 0
    checkpoint = tmp_path / "first" / "output" / "checkpoint-8"
    monkeypatch.setenv("TRAINJOBS_ATTEMPT", "2")
    resume = {"resumeFrom": str(checkpoint)}
    assert train(make_recipe(tmp_path / "second", bert, rows, inputs=resume)) == 0
    output = tmp_path / "second" / "output"
    assert figures(output) == figures(tmp_path / "first" / "output")
    records = [json.loads(line) for line in (output / "metrics.jsonl").read_text().splitlines()]
    assert {record["step"]: record["attempt"] for record in records} == {
        step: 1 if step <= 8 else 2 for step in range(1, 17)
    }
    assert {record["step"]: record["resumedFrom"] for record in records if "resumedFrom" in record} == {9: 8}
    log = (output / "training.log").read_text()
    assert [log.count(f" epoch={epoch} ") for epoch in (1, 2)] == [1, 1]
    # Nothing was left to train, but the line of the last epoch had not been written yet.
    resume = {"resumeFrom": str(output / "checkpoint-16")}
    assert train(make_recipe(tmp_path / "third", bert, rows, inputs=resume)) == 0
    log = (tmp_path / "third" / "output" / "training.log").read_text()
    assert [log.count(f" epoch={epoch} ") for epoch in (1, 2)] == [1, 1]


def test_a_finished_run_is_not_trained_one_more_step(tmp_path: Path, bert: Path, rows: Path) -> None:
    assert train(make_recipe(tmp_path, bert, rows)) == 0
    before = load_file(tmp_path / "output" / "checkpoint-16" / "model.safetensors")
    resume = {"resumeFrom": str(tmp_path / "output" / "checkpoint-16")}
    assert train(make_recipe(tmp_path, bert, rows, inputs=resume)) == 0
    done = json.loads((tmp_path / "output" / "done.json").read_text())
    assert done["step"] == 16
    log = (tmp_path / "output" / "training.log").read_text()
    assert [log.count(f" epoch={epoch} ") for epoch in (1, 2)] == [1, 1]
    assert sorted(figures(tmp_path / "output")) == list(range(1, 17))
    after = load_file(tmp_path / "output" / "model" / "model.safetensors")
    best = done["best"]["step"]
    if best == 16:
        assert all(torch.equal(before[key], after[key]) for key in before)
    assert not (tmp_path / "output" / "checkpoint-17").exists()


def test_a_checkpoint_without_its_optimizer_is_refused(
    tmp_path: Path, bert: Path, rows: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changes = {"training": {"maxSteps": 2, "epochs": None}}
    assert train(make_recipe(tmp_path, bert, rows, **changes)) == 0
    checkpoint = tmp_path / "output" / "checkpoint-2"
    (checkpoint / "optimizer.pt").unlink()
    resume = {"resumeFrom": str(checkpoint)}
    assert train(make_recipe(tmp_path, bert, rows, **changes, inputs=resume)) == 33
    assert "checkpoint-2 has no optimizer.pt" in capsys.readouterr().err


class Trap:
    """A pickle that leaves a file behind when it is loaded."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return (Path.touch, (self.target,))


def test_a_checkpoint_that_carries_code_or_is_cut_off_is_refused_by_its_files_name(
    tmp_path: Path, bert: Path, rows: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changes = {"training": {"maxSteps": 2, "epochs": None}}
    assert train(make_recipe(tmp_path, bert, rows, **changes)) == 0
    checkpoint, executed = tmp_path / "output" / "checkpoint-2", tmp_path / "executed"
    recipe = make_recipe(tmp_path, bert, rows, **changes, inputs={"resumeFrom": str(checkpoint)})
    for name in ("optimizer.pt", "scheduler.pt", "rng_state.pth"):
        whole = (checkpoint / name).read_bytes()
        torch.save({"state": Trap(executed)}, checkpoint / name)
        assert train(recipe) == 33
        assert f"checkpoint-2/{name}: holds more than tensors and numbers" in capsys.readouterr().err
        assert not executed.exists()
        (checkpoint / name).write_bytes(whole[: len(whole) // 2])
        assert train(recipe) == 33
        assert f"checkpoint-2/{name}: damaged or cut off" in capsys.readouterr().err
        (checkpoint / name).write_bytes(whole)
    assert train(recipe) == 0
    # One that the manifest names is no better at the next attempt.
    named = tmp_path / EXTERNAL
    shutil.copytree(checkpoint, named)
    (named / "optimizer.pt").unlink()
    assert train(make_recipe(tmp_path, bert, rows, **changes, inputs={"resumeFrom": str(named)})) == 10
    assert f"spec.checkpoints.resume.uri: {named} has no optimizer.pt" in capsys.readouterr().err


def test_a_termination_saves_and_the_next_start_goes_on(tmp_path: Path, bert: Path, rows: Path) -> None:
    changes = {"training": {"epochs": 40, "dataWorkers": 0}, "checkpoints": {"saveEverySteps": 1000}}
    output = tmp_path / "output"
    process = start(make_recipe(tmp_path, bert, rows, **changes))
    wait_for(output / "metrics.jsonl", process)
    process.terminate()
    assert process.wait(timeout=240) == 143
    failure = Failure.model_validate_json((output / "failure.json").read_bytes())
    assert failure.reason == "Preempted"
    [checkpoint] = output.glob("checkpoint-*")
    step = int(checkpoint.name.removeprefix("checkpoint-"))
    assert f"saved at step {step} of 320" in failure.message
    changes["training"]["maxSteps"] = step + 2
    changes["training"].pop("epochs")
    changes["training"]["epochs"] = None
    assert train(make_recipe(tmp_path, bert, rows, **changes, inputs={"resumeFrom": str(checkpoint)})) == 0
    assert sorted(figures(output)) == list(range(1, step + 3))
    assert not (output / "failure.json").exists()
