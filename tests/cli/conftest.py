"""Manifests whose training is a light script, and the program started as people start it."""

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

from tests.cli.stored_runs import place  # noqa: F401
from tests.harness.versitygw import pytest_collection_finish, s3, s3_environment  # noqa: F401

PROGRAM = (sys.executable, "-m", "trainjobs")
SCRIPTS = Path(__file__).parents[1] / "data" / "agent"
LIGHT, RANKS = SCRIPTS / "trains.py", SCRIPTS / "ranks.py"


@dataclass
class Bench:
    """A folder with manifests in it, and runs below."""

    folder: Path
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    def manifest(
        self,
        name: str = "light",
        *,
        script: Sequence[str] = (),
        spec: dict[str, object] | None = None,
        file: str | None = None,
    ) -> Path:
        """Write a manifest that runs the light script."""
        (self.folder / "base").mkdir(exist_ok=True)
        (self.folder / "base" / "config.json").write_text("{}")
        (self.folder / "rows.jsonl").write_text('{"text": "a", "scores": {"accuracy": 1}}\n')
        document = {
            "apiVersion": "trainjobs.dev/v1alpha1",
            "kind": "RewardModelRun",
            "metadata": {"name": name},
            "spec": {
                "baseModel": {"uri": "file://./base"},
                "dataset": {"train": "file://./rows.jsonl"},
                "objective": {"type": "Regression", "regression": {"dimensions": [{"name": "accuracy"}]}},
                "runtime": {"command": [str(LIGHT), *script]},
                **(spec or {}),
            },
        }
        path = self.folder / (file or f"{name}.yaml")
        path.write_text(yaml.safe_dump(document, sort_keys=False))
        return path

    def run(
        self, *arguments: str | Path, timeout: float = 280, **more: str
    ) -> subprocess.CompletedProcess[str]:
        """Start `trainjobs …` and wait for its end."""
        return subprocess.run(
            [*PROGRAM, *map(str, arguments)],
            cwd=self.folder,
            env={**os.environ, **more},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="backslashreplace",
            timeout=timeout,
            check=False,
        )

    def start(self, *arguments: str | Path) -> subprocess.Popen[str]:
        """Start `trainjobs …` and go on."""
        process = subprocess.Popen(
            [*PROGRAM, *map(str, arguments)],
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.started.append(process)
        return process

    def place(self, name: str = "light") -> Path:
        """The run's folder."""
        return self.folder / "runs" / "rewardmodelrun" / name


@pytest.fixture
def bench(tmp_path: Path):  # a generator of a Bench
    """A folder to run in; whatever was started there and not waited for is killed."""
    bench = Bench(tmp_path)
    yield bench
    for process in bench.started:
        if process.poll() is None:
            process.kill()
        process.communicate()
