"""A run's model or report on this machine: where it lies, or a copy of what lies in a bucket."""

import hashlib
import os
import shutil
from pathlib import Path
from typing import Literal

from trainjobs.cli.pulling import fetch
from trainjobs.cli.stored import StoredRun, open_run, path_of, storage_of
from trainjobs.core.checkpoints.layout import parse_artifact_folder, split_place
from trainjobs.errors import UsageError
from trainjobs.local.folder import RunFolder
from trainjobs.storage.artifacts import artifact_here
from trainjobs.storage.complete import read_manifest

Wanted = Literal["model", "report"]


def at_hand(target: str, wanted: Wanted) -> Path:
    """Return the folder on this machine of a run's model or report.

    What lies in a bucket is fetched, verified, and kept below `~/.cache/trainjobs` (XDG_CACHE_HOME): a second
    time it is there already.

    Args:
        target: a run's folder, here or in storage, or the URI of a part of it. Another folder, such as a
            model's own, is returned as it is.
        wanted: of what is looked for; a part that was named is taken itself where it can serve.

    Raises:
        UsageError: there is no such run, or it has none.
        AccessDenied, StorageUnavailable, CorruptCheckpoint: it cannot be fetched.
    """
    path = path_of(target)
    if path is None:
        return _copy(open_run(target), wanted)
    found = artifact_here(path, wanted)
    if found is not None:
        return found
    whole, part = split_place(str(path))
    if part and not _serves(part, wanted):
        return artifact_here(Path(whole), wanted) or path
    if part or not path.is_dir() or RunFolder(path).load() is None:
        return path
    elsewhere = path_of(storage_of(path))
    if elsewhere is not None:
        return artifact_here(elsewhere, wanted) or path
    try:
        return _copy(open_run(target), wanted)
    except UsageError:
        if wanted == "model":
            raise
        # Not there yet: what the run has here is all there is.
        return path


def _serves(part: str, wanted: Wanted) -> bool:
    """Whether a part of a run is itself what is looked for: checkpoints and adapters are models, too."""
    artifact = parse_artifact_folder(part)
    return (artifact is not None and artifact.name == "report") == (wanted == "report")


def _copy(run: StoredRun, wanted: Wanted) -> Path:
    folder = run.named() if run.part and _serves(run.part, wanted) else run.artifact(wanted)
    store = run.store.store.at(folder)
    name = hashlib.sha256(store.uri.encode()).hexdigest()[:16]
    copy = _cache() / name / folder.rpartition("/")[2]
    manifest, mark = read_manifest(store).to_json(), copy.with_suffix(".json")
    if mark.is_file() and mark.read_bytes() == manifest:
        return copy
    if mark.is_file():
        # The attempt has stored it anew since.
        shutil.rmtree(copy, ignore_errors=True)
        mark.unlink()
    fetch(store, copy)
    mark.write_bytes(manifest)
    return copy


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "trainjobs" / "fetched"
