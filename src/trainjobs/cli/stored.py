"""What the command line is pointed at: a run's folder in storage, by URI or by its folder on this machine."""

import os
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import yaml
from pydantic import ValidationError

from trainjobs.api.checkpoints import KeepBest
from trainjobs.api.runs import Run
from trainjobs.core.checkpoints.layout import ARTIFACTS, ATTEMPTS, CHECKPOINTS, RECIPE, CheckpointRef
from trainjobs.core.checkpoints.manifest import Manifest
from trainjobs.core.checkpoints.retention import Direction, ranked
from trainjobs.core.recipe.model import Recipe
from trainjobs.core.recipe.resolve import store_uri
from trainjobs.core.settings import Settings
from trainjobs.errors import InvalidRecipe, UsageError
from trainjobs.local.folder import RunFolder
from trainjobs.storage.checkpoints import CheckpointStore
from trainjobs.storage.opening import open_store
from trainjobs.storage.settings import StorageSettings
from trainjobs.storage.store import ObjectNotFound, Store

RETRY_SECONDS = 20.0
"""A person waits: an outage is reported sooner than to an agent."""
KEYS_LOOKED_AT = 2000
RUNS_NAMED = 5


@dataclass(frozen=True, slots=True)
class StoredRun:
    """A run's folder in storage, and the recipe that lies there, if one does."""

    store: CheckpointStore
    recipe: Recipe | None

    @property
    def keep_best(self) -> KeepBest:
        """By which metric the best is chosen: the recipe's, or the default."""
        return KeepBest() if self.recipe is None else self.recipe.checkpoints.keep_best


def open_run(target: str) -> StoredRun:
    """Open what `target` names: `s3://…`, `file:///…`, or a run's folder on this machine.

    Raises:
        UsageError: no run is stored there.
        AccessDenied, StorageUnavailable, InvalidRecipe: it cannot be read; says why.
    """
    settings = replace(StorageSettings.from_environment(os.environ), retry_seconds=RETRY_SECONDS)
    uri = target
    if "://" not in target:
        path = Path(target).expanduser().absolute()
        if not path.is_dir():
            raise UsageError(f"{target}: no such folder; give a run's folder, or its s3:// or file:/// URI")
        run = RunFolder(path).load()
        uri, settings = _where(run, settings) if run else (path.as_uri(), settings)
        uri = uri or path.as_uri()
    store = open_store(uri.rstrip("/"), settings=settings)
    _require_a_run(store)
    return StoredRun(CheckpointStore(store), _recipe(store))


def _where(run: Run, settings: StorageSettings) -> tuple[str, StorageSettings]:
    """URI of a local run's storage, empty where that is its own folder."""
    storage = run.spec.checkpoints.storage
    if storage.uri is None:
        return "", settings
    return store_uri(run, Settings()), replace(
        settings, endpoint=storage.endpoint or settings.endpoint, region=storage.region or settings.region
    )


def _require_a_run(store: Store) -> None:
    parts = {ATTEMPTS, CHECKPOINTS, ARTIFACTS}
    keys = [info.key for info in islice(store.list(), KEYS_LOOKED_AT)]
    if any(key.partition("/")[0] in parts for key in keys):
        return
    below = sorted({run for key in keys if (run := _run_of(key, parts))})
    if below:
        named = ", ".join(f"{store.uri}/{run}" for run in below[:RUNS_NAMED])
        raise UsageError(f"{store.uri}: holds runs, and is none itself; name one of them: {named}")
    raise UsageError(f"{store.uri}: no run is stored there; give the folder that holds checkpoints/")


def _run_of(key: str, parts: set[str]) -> str:
    folders = key.split("/")
    return next(("/".join(folders[:index]) for index, name in enumerate(folders) if name in parts), "")


def _recipe(store: Store) -> Recipe | None:
    try:
        document = yaml.safe_load(store.get(RECIPE))
    except ObjectNotFound:
        return None
    except yaml.YAMLError as error:
        raise InvalidRecipe(f"{store.uri}/{RECIPE}: not YAML ({str(error).splitlines()[0]})") from error
    try:
        return Recipe.model_validate(document)
    except ValidationError as error:
        field = ".".join(map(str, error.errors()[0]["loc"]))
        raise InvalidRecipe(f"{store.uri}/{RECIPE}: {field}: {error.errors()[0]['msg']}") from error


def best_of(complete: dict[CheckpointRef, Manifest], keep_best: KeepBest) -> CheckpointRef | None:
    """The best of the complete checkpoints, or None where none has the metric."""
    metrics = {ref: manifest.metrics for ref, manifest in complete.items()}
    return next(iter(ranked(metrics, keep_best.metric, direction_of(keep_best))), None)


def direction_of(keep_best: KeepBest) -> Direction:
    """Which end of the metric is good."""
    return Direction.MINIMIZE if keep_best.direction == "Lower" else Direction.MAXIMIZE
