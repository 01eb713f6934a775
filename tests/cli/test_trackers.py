"""A tracker whose package is not installed is refused before anything begins, with its extra."""

import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

import trainjobs

MANIFEST = """\
apiVersion: trainjobs.dev/v1alpha1
kind: RewardModelRun
metadata: {name: tracked}
spec:
  baseModel: {uri: "file://./model"}
  dataset: {train: "file://./train.jsonl"}
  objective:
    type: Regression
    regression: {dimensions: [{name: accuracy}]}
  tracking:
    trackers: [{type: TensorBoard}, {type: MLflow, mode: Disabled}, {type: WandB, mode: Offline}]
"""
START = "import sys; sys.path.extend(sys.argv.pop(1).split(':')); from trainjobs.cli import main; main()"


@pytest.fixture
def packages(tmp_path: Path) -> str:
    """A path to everything that is installed here but wandb and mlflow."""
    folder = tmp_path / "packages"
    folder.mkdir()
    for entry in Path(sysconfig.get_path("purelib")).iterdir():
        if not entry.name.startswith(("wandb", "mlflow")):
            (folder / entry.name).symlink_to(entry)
    return f"{folder}:{Path(trainjobs.__file__).parents[1]}"


@pytest.mark.parametrize("verb", [("validate",), ("run", "--smoke"), ("run",)], ids=" ".join)
def test_a_tracker_that_is_not_installed_is_refused_before_training(
    tmp_path: Path, packages: str, verb: tuple[str, ...]
) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("{}")
    (tmp_path / "train.jsonl").write_text('{"text": "good", "scores": {"accuracy": 1}}\n')
    (tmp_path / "rmrun.yaml").write_text(MANIFEST)

    ended = subprocess.run(
        [sys.executable, "-S", "-c", START, packages, verb[0], "rmrun.yaml", *verb[1:]],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.returncode == 10, ended.stderr
    assert ended.stderr.count("error:") == 1
    assert (
        "spec.tracking.trackers[2]: WandB needs the package wandb, which is not installed; " in ended.stderr
    )
    assert "pip install 'trainjobs[wandb]'" in ended.stderr
    assert not list(tmp_path.glob("runs/*/*/run.*"))
