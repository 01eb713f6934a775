"""`trainjobs run` with the library's own training on a tiny encoder: results, refusals, and what is kept."""

import json
import math
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cli.conftest import Bench
from tests.cli.runs import status, stored
from tests.training.tiny import DIMENSIONS, make_rows
from trainjobs.core.uris import file_uri

MAKE_BERT = """
import sys
from pathlib import Path
from tests.training.tiny import make_bert
make_bert(Path(sys.argv[1]))
"""


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny encoder, made by another process: this one needs no torch."""
    folder = tmp_path_factory.mktemp("base")
    subprocess.run([sys.executable, "-c", MAKE_BERT, str(folder)], check=True, cwd=Path(__file__).parents[2])
    return folder


def manifest(bench: Bench, base: Path, **changes: Any) -> Path:
    """A small regression run over `rows.jsonl`, which exists unless the test wrote it before."""
    rows = bench.folder / "rows.jsonl"
    if not rows.exists():
        make_rows(rows, 200)
    spec: dict[str, Any] = {
        "baseModel": {"uri": file_uri(base)},
        "dataset": {
            "train": "file://./rows.jsonl",
            "evalFraction": 0.2,
            "maxLength": 64,
            "fields": {"text": "text"},
        },
        "objective": {"type": "Regression", "regression": {"dimensions": DIMENSIONS}},
        "training": {
            "epochs": 1,
            "batchSizePerDevice": 8,
            "gradientAccumulationSteps": 1,
            "learningRate": 1e-3,
            "logEverySteps": 1,
        },
        "checkpoints": {"saveEverySteps": 5},
        "evaluation": {"bootstrapSamples": 50},
    }
    for section, change in changes.items():
        spec[section] = {**spec.get(section, {}), **change}
    document = {
        "apiVersion": "trainjobs.dev/v1alpha1",
        "kind": "RewardModelRun",
        "metadata": {"name": "tiny"},
        "spec": spec,
    }
    path = bench.folder / "tiny.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


def test_a_model_below_its_threshold_fails_the_run_once_and_everything_is_kept(
    bench: Bench, base: Path
) -> None:
    asked = {"thresholds": [{"metric": "overall.pearson", "minimum": 0.99999}]}
    tracking = {"trackers": [{"type": "TensorBoard"}]}
    ended = bench.run("run", manifest(bench, base, evaluation=asked, tracking=tracking))
    assert ended.returncode == 24, ended.stderr
    said = re.search(r"overall\.pearson is (\S+), (\S+) below the minimum 0\.99999", ended.stderr)
    assert said
    assert float(said[1]) + float(said[2]) == pytest.approx(0.99999, abs=1e-3)
    # The figures are there to be looked at, and so is what was missed by how much.
    assert re.search(r"^overall +\d", ended.stdout, re.MULTILINE)
    missed = rf"^overall\.pearson +at least 0\.99999 +{re.escape(said[1])} +missed by {re.escape(said[2])}$"
    assert re.search(missed, ended.stdout, re.MULTILINE), ended.stdout
    assert re.search(
        r"^Report +runs/rewardmodelrun/tiny/artifacts/report-a0001/report\.html$", ended.stdout, re.M
    )
    assert status(bench, "tiny")["attempt"] == 1
    place = bench.place("tiny")
    assert (place / "artifacts/model-a0001/model.safetensors").exists()
    assert (place / "artifacts/report-a0001/report.html").exists()
    assert any((place / "artifacts/report-a0001/tracking").rglob("events.out.*"))
    # One greppable line per epoch, and statistics with what the documentation names.
    log = (place / "artifacts/report-a0001/training.log").read_text()
    assert sum("epoch=1 train_loss=" in line and "val_loss=" in line for line in log.splitlines()) == 1
    stats = json.loads((place / "artifacts/report-a0001/training_stats.json").read_text())
    assert {"averageLoss", "bestLoss", "steps", "samples", "seconds", "device", "versions"} <= stats.keys()


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ('{"text": "good", "scores": {"accuracy": 1}}', "rows.jsonl line 150: scores.depth"),
        (
            '{"text": "good", "scores": {"accuracy": 99, "depth": 1}}',
            "rows.jsonl line 150: scores.accuracy is 99",
        ),
        (
            '{"text": "good", "scores": {"accuracy": NaN, "depth": 1}}',
            "rows.jsonl line 150 column 41: NaN is",
        ),
        ('{"text": "good", "scores"', "rows.jsonl line 150 column 26: not JSON"),
    ],
)
def test_a_bad_row_ends_the_run_at_once_with_file_and_line(
    bench: Bench, base: Path, row: str, said: str
) -> None:
    rows = make_rows(bench.folder / "rows.jsonl", 200)
    lines = rows.read_text().splitlines()
    lines[149] = row
    rows.write_text("\n".join(lines))
    ended = bench.run("run", manifest(bench, base))
    assert ended.returncode == 11, ended.stderr
    assert ended.stderr.count(said) == 1, "said once"
    assert "Traceback" not in ended.stderr


def test_an_empty_file_ends_the_run_with_its_name(bench: Bench, base: Path) -> None:
    (bench.folder / "rows.jsonl").write_text("\n")
    ended = bench.run("run", manifest(bench, base))
    assert ended.returncode == 11, ended.stderr
    assert "rows.jsonl is empty: it needs one JSON object a line" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_smoke_trains_one_batch_goes_the_whole_way_and_keeps_nothing(bench: Bench, base: Path) -> None:
    asked = {"thresholds": [{"metric": "overall.pearson", "minimum": 0.99999}]}
    file = manifest(bench, base, evaluation=asked)
    tried = bench.run("run", file, "--smoke")
    assert tried.returncode == 0, tried.stderr
    assert "tiny: one batch (loss " in tried.stdout
    assert list((bench.folder / "runs").iterdir()) == []
    # What only the evaluation at the end would have met, hours later.
    test = make_rows(bench.folder / "test.jsonl", 20)
    test.write_text(test.read_text() + '{"text": "good", "scores": {"accuracy": 99, "depth": 1}}\n')
    bad = bench.run("run", file, "--smoke", "--set", "spec.dataset.test=file://./test.jsonl")
    assert bad.returncode == 11, bad.stderr
    assert "test.jsonl line 21: scores.accuracy is 99" in bad.stderr


def test_a_learning_rate_that_diverges_keeps_the_last_good_checkpoint(bench: Bench, base: Path) -> None:
    diverging = {
        "learningRate": 1e8,
        "maxGradNorm": 0.0,
        "epochs": 20,
        "schedule": "Linear",
        "warmupRatio": 0.9,
    }
    ended = bench.run("run", manifest(bench, base, training=diverging, checkpoints={"saveEverySteps": 1}))
    assert ended.returncode == 20, ended.stderr
    assert "Diverged" in ended.stderr
    assert "learningRate" in ended.stderr
    after = status(bench, "tiny")
    assert (after["attempt"], after["failure"]["reason"]) == (1, "Diverged")
    assert stored(bench.place("tiny"))
    verified = bench.run("checkpoints", "verify", bench.place("tiny"))
    assert verified.returncode == 0


def test_what_is_cut_is_counted_and_reported(bench: Bench, base: Path) -> None:
    ended = bench.run("run", manifest(bench, base, dataset={"maxLength": 8}))
    assert ended.returncode == 0, ended.stderr
    report = bench.place("tiny") / "artifacts/report-a0001"
    stats = json.loads((report / "training_stats.json").read_text())
    assert stats["rowsCut"] > 50
    assert stats["tokensCut"] > stats["rowsCut"]
    assert "cut" in (report / "report.md").read_text()
    scored = bench.run("score", bench.place("tiny"), "--text", "good film", "--output", "json")
    assert scored.returncode == 0, scored.stderr
    result = json.loads(scored.stdout)
    score = result[0] if isinstance(result, list) else result
    assert math.isfinite(score["overall_score"])
