"""What the command line is pointed at: a run's folder in storage, by URI or by its folder on this machine."""

import os
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import yaml
from pydantic import ValidationError

from trainjobs.api.checkpoints import KeepBest
from trainjobs.api.figures import Direction
from trainjobs.core.checkpoints.layout import (
    ARTIFACTS,
    ATTEMPTS,
    CHECKPOINTS,
    RECIPE,
    CheckpointRef,
    parse_checkpoint_name,
    split_place,
)
from trainjobs.core.checkpoints.manifest import Manifest
from trainjobs.core.checkpoints.retention import ranked
from trainjobs.core.figures.scores import direction_of, kind_of
from trainjobs.core.recipe.model import Recipe
from trainjobs.core.recipe.storage import stored_at
from trainjobs.core.settings import Settings
from trainjobs.core.uris import file_uri
from trainjobs.errors import InvalidRecipe, UsageError
from trainjobs.local.folder import RunFolder
from trainjobs.local.paths import normal, path_here
from trainjobs.storage.artifacts import complete_artifacts
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
    part: str
    """Folder, in the run's, of the artifact or checkpoint that was named; empty where the run itself was."""

    @property
    def keep_best(self) -> KeepBest:
        """By which metric the best is chosen: the recipe's, or the default."""
        return KeepBest() if self.recipe is None else self.recipe.checkpoints.keep_best

    def named(self) -> str:
        """Return the folder, in the run's, of what was named; the model where it was the run itself.

        Raises:
            UsageError: it is not there; says what is.
        """
        kind, _, name = self.part.partition("/")
        if kind == ARTIFACTS:
            return self._artifact_of_an_attempt()
        if kind == CHECKPOINTS:
            ref = parse_checkpoint_name(name)
            if ref not in self.store.complete():
                raise UsageError(f"{self.store.store.uri}: has no complete checkpoint {name}")
            return self.part
        if "model" not in self.store.artifacts() and self.store.complete():
            raise UsageError(
                f"{self.store.store.uri}: has no model yet; its newest checkpoint comes with --checkpoint"
            )
        return self.artifact("model")

    def artifact(self, name: str) -> str:
        """Return the folder, in the run's, of an artifact.

        Raises:
            UsageError: the run has none of that name; says which it has.
        """
        there = self.store.artifacts()
        if name not in there:
            raise UsageError(
                f"{self.store.store.uri}: has no artifact {name}; it has {', '.join(there) or 'none yet'}"
            )
        return there[name]

    def _artifact_of_an_attempt(self) -> str:
        there = sorted(complete_artifacts(self.store.store))
        if self.part not in (ref.folder for ref in there):
            names = ", ".join(ref.folder for ref in there)
            raise UsageError(
                f"{self.store.store.uri}: has no {self.part}; it has {names or 'no artifact yet'}"
            )
        return self.part

    @property
    def dimensions(self) -> list[str]:
        """Names of the scores that the run's model gives, as far as its recipe says."""
        objective = self.recipe.objective if self.recipe is not None else None
        regression = objective.regression if objective is not None else None
        return [dimension.name for dimension in regression.dimensions] if regression else []


def open_run(target: str) -> StoredRun:
    """Open the run that `target` names: by its URI, its folder on this machine, or that of a part of it.

    Args:
        target: `s3://…` or `file:///…` of a run's folder, of an artifact or of a checkpoint, as a status or a
            command prints them; or a path.

    Raises:
        UsageError: no run is stored there.
        AccessDenied, StorageUnavailable, InvalidRecipe: it cannot be read; says why.
    """
    whole, part = split_place(target)
    if part:
        found = _opened(whole)
        if found is not None:
            return replace(found, part=part)
    found = _opened(target)
    if found is None:
        raise UsageError(
            f"{target}: no run is stored there; give a run's folder, or the URI that its status shows"
        )
    return found


def _opened(target: str) -> StoredRun | None:
    """The run whose folder `target` is, or None where it is none."""
    settings = replace(StorageSettings.from_environment(os.environ), retry_seconds=RETRY_SECONDS)
    uri = target
    path = path_of(target)
    if path is not None:
        if not path.is_dir():
            raise UsageError(f"{target}: no such folder; give a run's folder, or its s3:// or file:/// URI")
        uri, settings = _where(path, settings)
    store = open_store(uri, settings=settings)
    if not _holds_a_run(store):
        return None
    return StoredRun(CheckpointStore(store), _recipe(store), "")


def path_of(target: str) -> Path | None:
    """The path on this machine that a path or a `file://` URI means; None for what lies elsewhere.

    Raises:
        UsageError: it lies in a volume of a cluster.
    """
    if target.startswith("pvc://"):
        raise UsageError(f"{target}: lies in a volume of the cluster; mount it, and give the path there")
    return path_here(target, Path.cwd()) if "://" in target else normal(Path(target).expanduser())


def _where(path: Path, settings: StorageSettings) -> tuple[str, StorageSettings]:
    """Storage of the run in a folder on this machine: that folder itself, unless the run says another."""
    run = RunFolder(path).load()
    if run is None or run.spec.checkpoints.storage.uri is None:
        return file_uri(path), settings
    storage = run.spec.checkpoints.storage
    return stored_at(run, Settings()).uri, replace(
        settings, endpoint=storage.endpoint or settings.endpoint, region=storage.region or settings.region
    )


def storage_of(run: Path) -> str:
    """URI of the storage of a run in a folder on this machine."""
    return _where(run, StorageSettings())[0]


def _holds_a_run(store: Store) -> bool:
    """Whether a run is stored there.

    Raises:
        UsageError: runs are stored below; names them.
    """
    parts = {ATTEMPTS, CHECKPOINTS, ARTIFACTS}
    keys = [info.key for info in islice(store.list(), KEYS_LOOKED_AT)]
    if any(key.partition("/")[0] in parts for key in keys):
        return True
    below = sorted({run for key in keys if (run := _run_of(key, parts))})
    if below:
        named = ", ".join(f"{store.uri}/{run}" for run in below[:RUNS_NAMED])
        raise UsageError(f"{store.uri}: holds runs, and is none itself; name one of them: {named}")
    return False


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
        return Recipe.from_document(document)
    except ValidationError as error:
        field = ".".join(map(str, error.errors()[0]["loc"]))
        raise InvalidRecipe(f"{store.uri}/{RECIPE}: {field}: {error.errors()[0]['msg']}") from error


def best_of(complete: dict[CheckpointRef, Manifest], keep_best: KeepBest) -> CheckpointRef | None:
    """The best of the complete checkpoints, or None where none has the metric."""
    metrics = {ref: manifest.metrics for ref, manifest in complete.items()}
    return next(iter(ranked(metrics, keep_best.metric, direction_of(keep_best))), None)


def best_by(run: StoredRun, metric: str | None, direction: Direction | None) -> KeepBest:
    """How the best is chosen: the run's own way, or by another metric, whose direction its name tells.

    Raises:
        UsageError: the direction is not known, or contradicts what is.
    """
    own, dimensions = run.keep_best, run.dimensions
    name = own.metric if metric is None else metric
    said = direction or (own.direction if name == own.metric else None)
    kind = kind_of(name, dimensions)
    if kind is None and said is None:
        raise UsageError(
            f"--metric {name}: no figure of trainjobs; say by --direction whether Lower or Higher is better"
        )
    if kind is not None and said not in (None, kind.direction):
        raise UsageError(f"--direction {said}: of {name} {kind.direction.lower()} is better; leave it out")
    return own.model_copy(update={"metric": name, "direction": said or (kind and kind.direction)})
