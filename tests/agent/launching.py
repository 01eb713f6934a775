"""Starts real agents on real recipes, as the local program and a pod do."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from trainjobs.core.plan.pod import AGENT
from trainjobs.core.reports import FinalRecord
from trainjobs.core.uris import file_uri

SCRIPTS = Path(__file__).parent.parent / "data" / "agent"
RUN_UID = "3c9e1a52-0000-4000-8000-000000000001"


@dataclass
class Bench:
    """One run with its storage, and the agents started for it."""

    root: Path
    store: str = ""
    command: list[str] = field(default_factory=lambda: [str(SCRIPTS / "trains.py")])
    limits: dict[str, int] = field(default_factory=dict)
    checkpoints: dict[str, object] = field(default_factory=dict)
    recipe: dict[str, object] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    interpreter: list[str] = field(default_factory=list)
    """Options of Python itself."""
    nodes: int = 1
    per_node: int = 1
    folder: Path | None = None
    """Where agents are started."""

    def __post_init__(self) -> None:
        (self.root / "model").mkdir(parents=True, exist_ok=True)
        (self.root / "model" / "config.json").write_text("{}")
        (self.root / "train.jsonl").write_text('{"text": "good", "scores": {"quality": 1}}\n')
        self.store = self.store or file_uri(self.root / "store")

    def recipe_file(self) -> Path:
        body = {
            "protocol": 1,
            "run": {"kind": "SFTRun", "namespace": "ml", "name": "tiny", "uid": RUN_UID},
            "task": "SFT",
            "model": {"uri": file_uri(self.root / "model")},
            "dataset": {"train": file_uri(self.root / "train.jsonl")},
            "training": {"epochs": 1.0},
            "processes": {"nodes": self.nodes, "perNode": self.per_node},
            "checkpoints": self.checkpoints,
            "limits": {
                "startTimeoutSeconds": 240,
                "hangTimeoutSeconds": 240,
                "graceSeconds": 60,
                **self.limits,
            },
            "command": self.command,
            "store": self.store,
            **self.recipe,
        }
        path = self.root / "recipe.json"
        path.write_text(json.dumps(body))
        return path

    def workspace(self, node_rank: int = 0) -> Path:
        return self.root / f"node{node_rank}"

    def record_file(self, node_rank: int = 0) -> Path:
        return self.root / f"termination-{node_rank}.json"

    @contextmanager
    def agent(
        self, *flags: str, attempt: int = 1, node_rank: int = 0, pod: str = ""
    ) -> Iterator[subprocess.Popen]:
        self.record_file(node_rank).unlink(missing_ok=True)
        command = [
            sys.executable,
            *self.interpreter,
            *AGENT[1:],
            f"--recipe={self.recipe_file()}",
            f"--attempt={attempt}",
            f"--node-rank={node_rank}",
            f"--job-uid=job-{attempt}",
            f"--pod-uid={pod or f'pod-{attempt}-{node_rank}'}",
            f"--workspace={self.workspace(node_rank)}",
            f"--termination-log={self.record_file(node_rank)}",
            *flags,
        ]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", **self.environment}
        process = subprocess.Popen(
            command,
            env=environment,
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()
            process.stdout.close()
            process.wait()

    def run(self, *flags: str, attempt: int = 1, seconds: float = 240, pod: str = "") -> "Finished":
        with self.agent(*flags, attempt=attempt, pod=pod) as process:
            output, _ = process.communicate(timeout=seconds)
        return Finished(process.returncode, output.decode(errors="replace"), self.record())

    def record(self, node_rank: int = 0) -> FinalRecord:
        return FinalRecord.model_validate_json(self.record_file(node_rank).read_text())


def impostors(folder: Path, *names: str) -> Path:
    """A folder of modules that are called like libraries, and fail whoever imports them."""
    folder.mkdir()
    for name in names:
        (folder / f"{name}.py").write_text(f"raise RuntimeError('this is not {name}')\n")
    return folder


@dataclass
class Finished:
    code: int
    output: str
    record: FinalRecord


def wait_until(what, seconds: float = 120.0, every: float = 0.05) -> None:
    """Wait for something to become true. The limit is only there to end a test that waits in vain."""
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, f"waited {seconds} s in vain"
        time.sleep(every)
