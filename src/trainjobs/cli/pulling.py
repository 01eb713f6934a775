"""Choosing what to take home from a run's storage, and fetching it."""

from pathlib import Path

from trainjobs.api.checkpoints import KeepBest
from trainjobs.cli.stored import StoredRun, best_of
from trainjobs.core.checkpoints.layout import artifact_folder
from trainjobs.core.checkpoints.manifest import Manifest
from trainjobs.errors import UsageError
from trainjobs.storage.complete import fetch_folder, read_manifest
from trainjobs.storage.store import Store

STEPS_NAMED = 10


def choose(run: StoredRun, *, step: int | None, best_by: KeepBest | None, artifact: str | None) -> str:
    """Return the folder, in the run's, of what is asked for; the latest checkpoint if nothing is.

    Raises:
        UsageError: it is not there; names what is.
    """
    uri = run.store.store.uri
    if artifact is not None:
        there = run.store.artifacts()
        if artifact not in there:
            raise UsageError(f"{uri}: has no artifact {artifact}; it has {', '.join(there) or 'none yet'}")
        return artifact_folder(artifact)
    complete = run.store.complete()
    if not complete:
        raise UsageError(f"{uri}: has no complete checkpoint yet")
    if best_by is not None:
        best = best_of(complete, best_by)
        if best is None:
            raise UsageError(
                f"{uri}: no checkpoint has the metric {best_by.metric}; give another by --metric"
            )
        return best.folder
    if step is None:
        return max(complete).folder
    found = [ref for ref in complete if ref.step == step]
    if not found:
        steps = ", ".join(str(ref.step) for ref in sorted(complete)[-STEPS_NAMED:])
        raise UsageError(f"{uri}: has no complete checkpoint of step {step}; the newest are of {steps}")
    return max(found).folder


def fetch(store: Store, folder: Path) -> Manifest:
    """Fetch what a manifest at the root of `store` names into a folder that holds nothing else.

    Raises:
        UsageError: the folder holds other files: they would be taken for a part of it.
        CorruptCheckpoint: a file is damaged; names it.
    """
    expected = {entry.path for entry in read_manifest(store).files}
    there = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir())
    strange = [name for name in there if name not in expected and not name.endswith(".partial")]
    if strange:
        raise UsageError(f"{folder}: holds other files ({strange[0]}); give an empty folder by --to")
    return fetch_folder(store, folder)
