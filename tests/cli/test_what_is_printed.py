"""What `trainjobs run` prints at the end is there, and does what it says, wherever the run is stored."""

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import pytest

from tests.cli.conftest import Bench
from tests.cli.test_trained import base, manifest  # noqa: F401
from tests.harness.versitygw import S3Server
from trainjobs.core.uris import file_uri


@dataclass(frozen=True)
class Trained:
    """A run that has ended, and what it printed."""

    bench: Bench
    printed: str
    environment: Mapping[str, str] = field(default_factory=dict)

    def after(self, word: str) -> str:
        """What stands behind a word at the beginning of a line."""
        found = re.search(rf"^{word} +(.+)$", self.printed, re.MULTILINE)
        assert found is not None, self.printed
        return found[1]

    def typed(self, command: str) -> subprocess.CompletedProcess[str]:
        """A command as a person types it into a shell where the run was started."""
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        cache = {"XDG_CACHE_HOME": str(self.bench.folder / "cache")}
        return subprocess.run(
            ["sh", "-c", command],
            cwd=self.bench.folder,
            env={**os.environ, **self.environment, **cache, "PATH": path},
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture(
    scope="module",
    params=[
        "its own folder",
        pytest.param("another folder", marks=pytest.mark.acceptance),
        pytest.param("a bucket", marks=pytest.mark.acceptance),
    ],
)
def trained(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    base: Path,  # noqa: F811
) -> Trained:
    """A run of reports (of texts where its own folder is the storage), in a folder with a space."""
    bench = Bench(tmp_path_factory.mktemp("a bench"))
    changes: dict[str, object] = {"training": {"maxSteps": 4, "epochs": None}}
    environment: Mapping[str, str] = {}
    if request.param != "its own folder":
        _reports(bench.folder / "rows.jsonl")
        changes["dataset"] = {"fields": {}}
        changes["checkpoints"] = {"storage": {"uri": file_uri(bench.folder / "kept there")}}
    if request.param == "a bucket":
        server: S3Server = request.getfixturevalue("s3")
        environment = server.environment
        bucket = server.make_bucket(f"b-{uuid4().hex[:8]}")
        changes["checkpoints"] = {"storage": {"uri": f"{bucket}/team"}}
    ended = bench.run("run", manifest(bench, base, **changes), "--root", "my runs", **environment)
    assert ended.returncode == 0, ended.stderr
    return Trained(bench, ended.stdout, environment)


def _reports(path: Path) -> None:
    rows = [
        {
            "system_prompt": "the film",
            "input_data": {"plot": number},
            "report": "good story " * (1 + number % 7),
            "scores": {"accuracy": number % 7, "depth": 7 - number % 7},
        }
        for number in range(120)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def _status(trained: Trained) -> dict[str, str]:
    place = trained.bench.folder / "my runs/rewardmodelrun/tiny/status.json"
    artifacts: dict[str, str] = json.loads(place.read_text())["artifacts"]
    return artifacts


def test_the_command_to_try_it_runs_and_fits_the_model(trained: Trained) -> None:
    command = trained.after("Try it")
    tried = trained.typed(command)
    assert tried.returncode == 0, (command, tried.stderr)
    assert "note:" not in tried.stderr
    assert re.search(r" [A-E]( |$)", tried.stdout, re.MULTILINE), tried.stdout


def test_the_report_is_where_it_is_said_to_be(trained: Trained) -> None:
    assert "<html" in (trained.bench.folder / trained.after("Report")).read_text()


def test_a_model_stands_once_on_disk_and_work_is_empty(trained: Trained) -> None:
    model = trained.after("Model")
    if "://" not in model:
        assert (trained.bench.folder / model / "model.safetensors").is_file()
    place = trained.bench.folder / "my runs/rewardmodelrun/tiny"
    models = [
        path
        for path in trained.bench.folder.rglob("model.safetensors")
        if not {"checkpoints", "cache"} & set(path.parts)
    ]
    assert len(models) == (0 if "://" in model else 1)
    assert not (place / "work").exists()
    assert "loss" in (place / "training.log").read_text()


EVERY_VERB = """
import json, sys
from pathlib import Path
from typer.testing import CliRunner
from trainjobs.cli.app import app

model, report, run, home = sys.argv[1:]
said = {}
for arguments in (
    ["score", model, "--text", "good film"],
    ["evaluate", model, "--data", "rows.jsonl", "--bootstrap-samples", "0"],
    ["report", report, "--to", f"{home}/written"],
    ["report", model, "--to", f"{home}/also"],
    ["diagnose", report],
    ["diagnose", run],
    ["pull", report, "--to", f"{home}/report"],
    ["pull", run, "--to", f"{home}/model"],
):
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, (arguments, done.output, done.exception)
    said[arguments[0]] = done.stderr
    written = {str(one): one.stat().st_mtime_ns for one in Path("cache").rglob("*.safetensors")}
    assert said.setdefault("copies", written) == written, "fetched once more"
print(json.dumps(said))
"""


def test_every_uri_of_the_status_is_a_name_for_every_verb(trained: Trained, tmp_path: Path) -> None:
    run = "my runs/rewardmodelrun/tiny"
    artifacts = json.loads((trained.bench.folder / run / "status.json").read_text())["artifacts"]
    (tmp_path / "verbs.py").write_text(EVERY_VERB)
    words = [tmp_path / "verbs.py", artifacts["model"], artifacts["report"], run, tmp_path]
    done = trained.typed(shlex.join(["python", *map(str, words)]))
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert len(said["copies"]) == (1 if "s3://" in artifacts["model"] else 0)
    assert ("note: this model was trained on reports" in said["score"]) == ("head" in trained.after("Try it"))
    for file in ("written/report.html", "also/report.html", "report/report.html", "model/model.safetensors"):
        assert (tmp_path / file).is_file()
