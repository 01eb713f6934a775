"""What a finished training leaves goes to storage: model, report, and last of all the run's result."""

import logging
import os
import random
import shutil
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final, TypeVar

from pydantic import ValidationError

from trainjobs.agent.status import Status
from trainjobs.agent.stop import StopRequests
from trainjobs.api.status import Artifacts, BestMetric, Metrics
from trainjobs.core.checkpoints.layout import RESULT, ArtifactRef
from trainjobs.core.outputs import ADAPTER, DONE, MODEL, REPORT_FILES, TRACKING, Done
from trainjobs.core.reports import Outcome, SyncState
from trainjobs.errors import (
    AccessDenied,
    CorruptCheckpoint,
    Fenced,
    InvalidData,
    InvalidRecipe,
    StorageUnavailable,
)
from trainjobs.storage.checkpoints import CheckpointStore
from trainjobs.storage.store import AlreadyExists
from trainjobs.storage.superseded import delete_superseded

_log = logging.getLogger(__name__)
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 30.0
# What the Trainer's save_model leaves in the output folder itself, when a script names no other.
_MODEL_MARKS: Final = ("config.json", "adapter_config.json")
_NOT_MODEL: Final = frozenset({"trainer_state.json", "training_args.bin", "optimizer.pt", "scheduler.pt"})

Result = TypeVar("Result")


def read_done(output: Path) -> Done | None:
    """Return training's own word that it ended as planned, or None."""
    try:
        return Done.from_json((output / DONE).read_bytes())
    except (OSError, ValidationError):
        return None


def read_result(result: bytes, store: CheckpointStore) -> Outcome:
    """Read back what `deliver` wrote.

    Raises:
        CorruptCheckpoint: it was damaged.
    """
    try:
        return Outcome.from_json(result)
    except ValidationError as error:
        raise CorruptCheckpoint(
            f"{store.store.uri}/{RESULT}: not a result ({error.errors()[0]['msg']})"
        ) from error


def delete_others(store: CheckpointStore) -> None:
    """Delete the artifacts of attempts that were replaced; where that cannot be, they only take room."""
    try:
        gone = delete_superseded(store.store)
    except (StorageUnavailable, AccessDenied, InvalidRecipe) as error:
        _log.warning("artifacts of other attempts are not deleted: %s", error)
        return
    for folder in gone:
        _log.info("%s is deleted: the run's result names another", folder)


class Delivery:
    """Brings the results of one attempt to storage; tries again while storage is away, up to a deadline."""

    def __init__(
        self,
        store: CheckpointStore,
        status: Status,
        stop: StopRequests,
        *,
        attempt: int,
        workspace: Path,
        deadline: float,
    ) -> None:
        self._store = store
        self._status = status
        self._stop = stop
        self._attempt = attempt
        self._staging = workspace / "artifacts"
        self._deadline = deadline

    def deliver(self, output: Path, done: Done, *, model_required: bool) -> Outcome:
        """Store model and report, then the result, which makes the run finished; return the run's result.

        Raises:
            Fenced: a newer attempt owns the run.
            StorageUnavailable, AccessDenied: storage was away until the deadline.
            InvalidData: training says it is done and left no model.
        """
        model = _model_files(output)
        if not model and model_required:
            raise InvalidData(f"{output / MODEL}: training ended and left no model there")
        report = [(output / name, name) for name in REPORT_FILES if (output / name).is_file()]
        report += [(path, f"{TRACKING}/{name}") for path, name in _files_below(output / TRACKING)]
        adapter = _files_below(output / ADAPTER)
        artifacts = Artifacts(
            model=self._artifact("model", model, done) if model else None,
            adapter=self._artifact("adapter", adapter, done) if adapter else None,
            report=self._artifact("report", report, done) if report else None,
        )
        outcome = Outcome(
            step=done.step,
            total_steps=done.total_steps,
            metrics=_figures(done, self._status),
            checkpoints=self._status.checkpoints,
            artifacts=artifacts,
            missed=done.missed,
        )
        result = outcome.model_dump_json(by_alias=True, exclude_none=True, indent=1).encode()
        try:
            self._insist(lambda: self._store.finish(result, attempt=self._attempt))
        except AlreadyExists:
            return self._of_another_attempt()
        return outcome

    def _of_another_attempt(self) -> Outcome:
        """Return the result that was there first: it is the run's, and names the artifacts that are."""
        result = self._store.result()
        assert result is not None, "a result that is there stays"
        _log.warning("another attempt has written the result of this run: it counts, not this one's")
        return read_result(result, self._store)

    def _artifact(self, name: str, files: Iterable[tuple[Path, str]], done: Done) -> str:
        folder = self._staging / name
        _stage(folder, files)
        started = time.monotonic()
        manifest = self._insist(
            lambda: self._store.put_artifact(
                name, folder, step=done.step, attempt=self._attempt, metrics=done.metrics
            )
        )
        self._status.upload_bytes += manifest.size
        self._status.upload_seconds += time.monotonic() - started
        shutil.rmtree(folder, ignore_errors=True)
        _log.info("artifact %s is in storage (%d bytes)", name, manifest.size)
        return f"{self._status.recipe.store}/{ArtifactRef(name, self._attempt).folder}"

    def _insist(self, action: Callable[[], Result]) -> Result:
        pause = _FIRST_PAUSE
        while True:
            try:
                done = action()
            except (Fenced, AlreadyExists):
                raise
            except (StorageUnavailable, AccessDenied) as error:
                self._status.upload_failures += 1
                self._status.set_sync(SyncState(healthy=False, reason=error.reason, message=str(error)))
                if self._stop.asked or time.monotonic() + pause > self._deadline:
                    raise
                _log.warning("results do not reach storage: %s; trying again", error)
                time.sleep(pause * random.uniform(0.5, 1.5))
                pause = min(_LONGEST_PAUSE, 2 * pause)
            else:
                self._status.set_sync(SyncState())
                return done


def _model_files(output: Path) -> list[tuple[Path, str]]:
    if (output / MODEL).is_dir():
        return _files_below(output / MODEL)
    if not any((output / name).is_file() for name in _MODEL_MARKS):
        return []
    unwanted = _NOT_MODEL.union(REPORT_FILES)
    return [(path, path.name) for path in output.iterdir() if path.is_file() and path.name not in unwanted]


def _files_below(folder: Path) -> list[tuple[Path, str]]:
    return [(path, path.relative_to(folder).as_posix()) for path in folder.rglob("*") if path.is_file()]


def _stage(folder: Path, files: Iterable[tuple[Path, str]]) -> None:
    """Gather files in one folder, by hard links where the file system has them."""
    shutil.rmtree(folder, ignore_errors=True)
    for source, name in files:
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(source, target)
        except OSError:
            shutil.copyfile(source, target)


def _figures(done: Done, status: Status) -> Metrics:
    told = status.heartbeat().metrics
    best: BestMetric | None = done.best or told.best
    latest = {**told.latest, **done.metrics}
    return Metrics(latest=dict(list(latest.items())[-50:]), best=best)
