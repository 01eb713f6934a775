"""The folder of one run on this machine: `runs/<kind>/<name>/`.

run.yaml           the run as accepted, with its UID
status.json        what the operator would write into `.status`
lock               held by the program that drives the run
events.log         the run's story, one line an event
work/attempt-0001/node-0/   workspace of one node's agent, with its log; gone once the run has succeeded
logs/attempt-0001/node-0/   the logs of a run that has succeeded
training.log       link to the log of the newest attempt's training
report/            the report of a run that has succeeded, where its storage is in a bucket
recipe.yaml  attempts/  checkpoints/  artifacts/  result.json   storage, unless it is elsewhere
"""

import fcntl
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml

from trainjobs.api.runs import BY_KIND, Run
from trainjobs.api.status import RunStatus
from trainjobs.core.outputs import LOG, REPORT_FILES
from trainjobs.core.uris import file_uri
from trainjobs.errors import RunInUse, UsageError
from trainjobs.local.paths import normal

WORK: Final = "work"
REPORT: Final = "report"
OUTPUT: Final = "output"
"""In a workspace: what training writes."""
NODE_LOG: Final = "node.log"
"""In a workspace: what training prints."""


@dataclass(frozen=True, slots=True)
class RunFolder:
    """Where one run lives; nothing is made before it is locked."""

    path: Path

    @classmethod
    def of(cls, root: Path, kind: str, name: str) -> "RunFolder":
        """The folder of the run of this kind and name under `root`."""
        return cls(normal(root) / kind.lower() / name)

    @property
    def store_uri(self) -> str:
        """The folder as storage."""
        return file_uri(self.path)

    def workspace(self, attempt: int, node_rank: int) -> Path:
        """Where one node of one attempt works."""
        return self.path / WORK / f"attempt-{attempt:04d}" / f"node-{node_rank}"

    def load(self) -> Run | None:
        """The run with its last status, or None when there is none yet.

        Raises:
            UsageError: the files cannot be read back.
        """
        file = self.path / "run.yaml"
        if not file.exists():
            return None
        try:
            document = yaml.safe_load(file.read_text(encoding="utf-8"))
            run = BY_KIND[document["kind"]].from_document(document)
            status_file = self.path / "status.json"
            if status_file.exists():
                status = RunStatus.from_json(status_file.read_text(encoding="utf-8"))
                run = run.model_copy(update={"status": status})
        except (ValueError, KeyError, TypeError, yaml.YAMLError) as error:
            raise UsageError(
                f"{file}: is not a run of this version ({type(error).__name__}); "
                "move the folder away and run again"
            ) from error
        return run

    def save(self, run: Run) -> None:
        """Write the run as accepted, without its status."""
        body = run.model_dump(by_alias=True, exclude_none=True, mode="json", exclude={"status"})
        self._write("run.yaml", yaml.safe_dump(body, sort_keys=False, allow_unicode=True))

    def save_status(self, status: RunStatus) -> None:
        """Write the status."""
        self._write("status.json", json.dumps(status.document(), indent=1, ensure_ascii=False) + "\n")

    def log_event(self, line: str) -> None:
        """Append one line to the run's story."""
        with (self.path / "events.log").open("a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(line + "\n")

    def link_log(self, attempt: int, *, own_script: bool) -> None:
        """Let `training.log` point to the log of this attempt's training; of a script, to what it prints."""
        workspace = self.workspace(attempt, 0)
        self._link(workspace / NODE_LOG if own_script else workspace / OUTPUT / LOG)

    def _link(self, target: Path) -> None:
        aside = self.path / f".{LOG}"
        aside.unlink(missing_ok=True)
        aside.symlink_to(os.path.relpath(target, self.path))
        aside.replace(self.path / LOG)

    def newest_log(self, attempt: int) -> Path:
        """The log that says most of how an attempt ended; the run's story where none was written."""
        workspace = self.workspace(attempt, 0)
        logs = (self.path / LOG, workspace / NODE_LOG, workspace / "agent.log")
        written = (log for log in logs if log.is_file() and log.stat().st_size)
        return next(written, self.path / "events.log")

    def drop_workspaces(self, keep_attempt: int) -> None:
        """Remove the workspaces of older attempts; what counts of them is in storage."""
        for folder in (self.path / WORK).glob("attempt-*"):
            if folder.name != f"attempt-{keep_attempt:04d}":
                shutil.rmtree(folder, ignore_errors=True)

    def put_away(self, *, keep_report: bool) -> None:
        """Empty `work/` of a run that has succeeded: what it made is in storage, its logs go to `logs/`.

        Args:
            keep_report: whether the report stays here, too, to be looked at without asking storage.
        """
        log = (self.path / LOG).resolve()
        for node in sorted((self.path / WORK).glob("attempt-*/node-*")):
            if keep_report:
                _move(((node / OUTPUT / name) for name in REPORT_FILES if name != LOG), self.path / REPORT)
            logs = self.path / "logs" / node.parent.name / node.name
            _move((*node.glob("*.log"), node / OUTPUT / LOG), logs)
            if log.is_relative_to(node.resolve()):
                self._link(logs / log.name)
        shutil.rmtree(self.path / WORK, ignore_errors=True)

    def move_aside(self, suffix: str) -> Path:
        """Rename the whole folder, to make room for a new run of the same name."""
        target = self.path.with_name(f"{self.path.name}.{suffix}")
        self.path.rename(target)
        return target

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Be the one program that drives this run.

        Raises:
            RunInUse: another one does.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        with (self.path / "lock").open("a+", encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.seek(0)
                owner = file.read().strip() or "unknown"
                raise RunInUse(
                    f"{self.path}: this run is driven by another trainjobs (process {owner}); "
                    "wait for it, or stop it with Ctrl-C there"
                ) from None
            file.truncate(0)
            file.write(f"{os.getpid()}\n")
            file.flush()
            yield

    def _write(self, name: str, text: str) -> None:
        aside = self.path / f".{name}.tmp"
        aside.write_text(text, encoding="utf-8")
        aside.replace(self.path / name)


def _move(files: Iterable[Path], folder: Path) -> None:
    """Move those of the files that are there; a machine that shares the folder may be doing the same."""
    for file in files:
        if file.is_file():
            folder.mkdir(parents=True, exist_ok=True)
            with suppress(FileNotFoundError):
                file.replace(folder / file.name)
