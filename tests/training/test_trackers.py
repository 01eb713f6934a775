"""Every tracker, for real, without a network: what a training leaves on the disk, under which name."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.training.tiny import figures, make_recipe, train
from trainjobs.errors import AccessDenied

Kept = tuple[str, dict[int, float]]
"""The run's name, and its loss by step."""


def _tensorboard(folder: Path) -> Kept:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder))
    events.Reload()
    return "tensorboard", {one.step: one.value for one in events.Scalars("train/loss")}


def _wandb(folder: Path) -> Kept:
    from swanlab.converter.wb.wbdatastore import WBDataStoreReader
    from wandb.proto.wandb_internal_pb2 import Record

    [path] = folder.glob("wandb/offline-run-*/run-*.wandb")
    name, found, reader = "", {}, WBDataStoreReader()
    reader.open(str(path))
    while (data := reader.scan()) is not None:
        record = Record()
        record.ParseFromString(data)
        name = record.run.display_name or name
        values = {"/".join(item.nested_key) or item.key: item.value_json for item in record.history.item}
        if "train/loss" in values:
            found[int(values["train/global_step"])] = float(values["train/loss"])
    return name, found


def _swanlab(folder: Path) -> Kept:
    from swanlab.proto.swanlab.record.v1.record_pb2 import Record
    from swanlab.sdk.internal.core_python.store import DataStoreReader

    [path] = folder.glob("run-*/run-*.swanlab")
    name, found, reader = "", {}, DataStoreReader()
    reader.open(path)
    for data in reader:
        record = Record()
        record.ParseFromString(data)
        name = record.start.name or name
        if record.scalar.key == "train/loss":
            found[record.scalar.step] = record.scalar.value.number
    return name, found


def _mlflow(folder: Path) -> Kept:
    [path] = folder.glob("*/*/metrics/loss")
    rows = [line.split() for line in path.read_text().splitlines()]
    name = (path.parents[1] / "tags" / "mlflow.runName").read_text()
    return name, {int(step): float(value) for _, value, step in rows}


READ: dict[str, Callable[[Path], Kept]] = {
    "TensorBoard": _tensorboard,
    "WandB": _wandb,
    "SwanLab": _swanlab,
    "MLflow": _mlflow,
}


@pytest.fixture(scope="module")
def tracked(tmp_path_factory: pytest.TempPathFactory, bert: Path, rows: Path) -> Path:
    """The output of one training that all of them followed, each under a name of its own."""
    folder = tmp_path_factory.mktemp("tracked")
    trackers = [{"type": kind, "mode": "Offline", "runName": kind.lower()} for kind in READ]
    training = {"maxSteps": 3, "epochs": None}
    recipe = make_recipe(folder, bert, rows, training=training, tracking={"trackers": trackers})
    assert train(recipe) == 0
    return folder / "output"


@pytest.mark.parametrize("kind", READ)
def test_a_tracker_keeps_every_loss_under_the_name_that_it_was_given(tracked: Path, kind: str) -> None:
    name, kept = READ[kind](tracked / "tracking" / kind.lower())
    assert name == kind.lower()
    assert kept == pytest.approx(figures(tracked), rel=1e-5)


def test_a_tracker_without_its_key_ends_the_run_at_once_with_what_to_do(
    tmp_path: Path,
    bert: Path,
    rows: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    recipe = make_recipe(tmp_path, bert, rows, tracking={"trackers": [{"type": "WandB"}]})
    assert train(recipe) == AccessDenied.exit_code
    said = capsys.readouterr().err
    assert "spec.tracking.trackers[0]: WandB does not begin: No API key configured" in said
    assert "give its key by secretName, or set mode: Offline" in said
