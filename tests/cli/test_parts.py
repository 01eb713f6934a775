"""Sharded checkpoints of several nodes: every node has a part, and the run goes on from storage alone."""

import json
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import LIGHT, Bench
from tests.cli.runs import until
from tests.cli.test_run import processes_of
from tests.cli.test_trained import base, manifest  # noqa: F401
from trainjobs.core.uris import file_uri

STEPS = 60


def zero(stage: int) -> dict[str, Any]:
    """Share optimiser (and weights) by ZeRO."""
    return {"type": "DeepSpeed", "deepSpeed": {"stage": stage}}


FSDP = {"type": "FSDP"}
SHARDS = {"DeepSpeed": "global_step*/*zero_pp_rank_{}_*optim_states.pt", "FSDP": "optimizer/__{}_0.distcp"}


def run(bench: Bench, base: Path, strategy: dict[str, Any]) -> Path:  # noqa: F811
    """A run on two nodes with a process each, which share the model."""
    return manifest(
        bench,
        base,
        topology={"nodes": 2, "processesPerNode": 1, "strategy": strategy},
        training={"maxSteps": STEPS, "epochs": None, "evalEverySteps": 20},
        checkpoints={"saveEverySteps": 10, "storage": {"uri": file_uri(bench.folder / "kept")}},
    )


def losses(bench: Bench) -> dict[int, float]:
    """Loss by step, as the report has it."""
    (found,) = bench.folder.glob("kept/default/RewardModelRun/tiny-*/artifacts/report-a*/metrics.jsonl")
    records: list[dict[str, Any]] = [json.loads(line) for line in found.read_text().splitlines()]
    return {one["step"]: one["metrics"]["loss"] for one in records if "loss" in one["metrics"]}


def whole(bench: Bench) -> list[Path]:
    """Checkpoints that exist, in storage."""
    return sorted(path.parent for path in bench.folder.glob("kept/default/*/*/checkpoints/*/MANIFEST.json"))


@pytest.mark.parametrize(
    "strategy",
    [
        zero(2),
        pytest.param(zero(3), marks=pytest.mark.acceptance),
        pytest.param(FSDP, marks=pytest.mark.acceptance),
    ],
    ids=["ZeRO-2", "ZeRO-3", "FSDP"],
)
def test_a_run_killed_on_two_nodes_goes_on_from_both_parts_with_equal_losses(
    bench: Bench,
    base: Path,  # noqa: F811
    tmp_path: Path,
    strategy: dict[str, Any],
) -> None:
    ended = bench.run("run", run(bench, base, strategy))
    assert ended.returncode == 0, ended.stderr
    expected = losses(bench)
    assert len(expected) == STEPS
    newest = whole(bench)[-1]
    assert (newest / "parts/0001/MANIFEST.json").is_file()
    shards = SHARDS[strategy["type"]]
    assert list(newest.glob(shards.format(0)))
    assert list(newest.glob("parts/0001/" + shards.format(1)))

    (tmp_path / "other").mkdir()
    other = Bench(tmp_path / "other")
    killed = other.start("run", run(other, base, strategy))
    until("a checkpoint of both nodes", lambda: whole(other))
    os.killpg(killed.pid, signal.SIGKILL)
    killed.communicate()
    until("the end of all its processes", lambda: not processes_of(other.place("tiny")))
    # Machines are replaced: what storage has is all there is.
    shutil.rmtree(other.place("tiny") / "work")
    again = other.run("run", run(other, base, strategy))
    assert again.returncode == 0, again.stderr
    (stats,) = other.folder.glob("kept/default/*/*/artifacts/report-a0002/training_stats.json")
    assert 0 < json.loads(stats.read_text())["resumedFromStep"] < STEPS
    assert losses(other) == pytest.approx(expected, abs=1e-6)


def weight(bench: Bench, attempt: int) -> float:
    """What node 0 has learned, to which node 1 has its share."""
    place = bench.place("own")
    return float(json.loads((place / f"artifacts/model-a{attempt:04}/config.json").read_text())["weight"])


def test_a_script_whose_nodes_each_save_a_file_goes_on_from_both_whatever_its_strategy(
    bench: Bench, tmp_path: Path
) -> None:
    script = [str(LIGHT), "--together", "--shards", "--steps=40", "--step-seconds=0.2", "--save-every=5"]
    spec = {"runtime": {"command": script}, "topology": {"nodes": 2, "processesPerNode": 1}}
    ended = bench.run("run", bench.manifest("own", spec=spec))
    assert ended.returncode == 0, ended.stderr
    expected = weight(bench, 1)
    newest = bench.place("own") / "checkpoints" / "step-00000040-a0001"
    assert (newest / "shard-0.json").is_file()
    assert (newest / "parts/0001/shard-1.json").is_file()

    (tmp_path / "other").mkdir()
    other = Bench(tmp_path / "other")
    place = other.place("own")
    killed = other.start("run", other.manifest("own", spec=spec))
    until("a checkpoint of both nodes", lambda: list(place.glob("checkpoints/*/MANIFEST.json")))
    os.killpg(killed.pid, signal.SIGKILL)
    killed.communicate()
    until("the end of all its processes", lambda: not processes_of(place))
    # Machines are replaced: what storage has is all there is.
    shutil.rmtree(place / "work")
    again = other.run("run", other.manifest("own", spec=spec))
    assert again.returncode == 0, again.stderr
    resumption = json.loads((place / "attempts/0002.resume.json").read_text())
    assert 0 < resumption["resume"]["step"] < 40
    assert weight(other, 2) == expected
