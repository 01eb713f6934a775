"""`s3://…` models and data: fetched into the cache, verified where a manifest says what to expect."""

import hashlib
from collections.abc import Callable
from pathlib import Path

from trainjobs.core.checkpoints.layout import MANIFEST
from trainjobs.errors import InvalidRecipe, TrainjobsError
from trainjobs.storage.complete import fetch_folder
from trainjobs.storage.opening import open_store
from trainjobs.storage.settings import StorageSettings
from trainjobs.storage.store import ObjectInfo, Store
from trainjobs.storage.transfer import in_parallel

Progress = Callable[[int, int], None]


def fetch_objects(
    uri: str, cache: Path, settings: StorageSettings, missing: type[TrainjobsError], progress: Progress
) -> Path:
    """Fetch one object, or every object below a folder; return where it lies.

    What a manifest names (a model that another run made) is verified, and what is in the cache already
    and matches is not fetched again. Without a manifest nothing says whether a cached copy is still
    the same, so it is fetched anew.

    Args:
        progress: told (bytes done, bytes in all).

    Raises:
        AccessDenied, StorageUnavailable: storage refuses or cannot be reached.
        CorruptCheckpoint: what arrived is not what the manifest says.
        `missing`: there is nothing under that URI.
    """
    folder, _, name = uri.rstrip("/").rpartition("/")
    target = cache / "s3" / hashlib.sha256(uri.encode()).hexdigest()[:24]
    parent = open_store(folder, settings=settings) if folder not in ("s3:/", "s3:") else None
    store = parent.at(name) if parent is not None else open_store(uri, settings=settings)
    if parent is not None and (one := parent.head(name)) is not None and not _is_marker(one, store):
        _fetch(parent, (one,), target, progress)
        return target / name
    if store.head(MANIFEST) is not None:
        manifest = fetch_folder(store, target)
        progress(manifest.size, manifest.size)
        return target
    found = tuple(store.list())
    if not found:
        raise missing(f"{uri}: nothing is stored there; check the bucket and the path")
    _refuse_clash(store, found)
    _fetch(store, found, target, progress)
    return target


def _is_marker(one: ObjectInfo, folder: Store) -> bool:
    """Whether an object only stands for the folder of its name: some tools write no slash at its end."""
    return one.size == 0 and next(folder.list(), None) is not None


def _refuse_clash(store: Store, objects: tuple[ObjectInfo, ...]) -> None:
    keys = {info.key for info in objects}
    for key in sorted(keys):
        parts = key.split("/")
        above = next((one for end in range(1, len(parts)) if (one := "/".join(parts[:end])) in keys), None)
        if above is not None:
            raise InvalidRecipe(
                f"{store.uri}: {above!r} is an object, and {key!r} lies below it; a disk can hold one "
                "of the two only: rename or delete the other"
            )


def _fetch(store: Store, objects: tuple[ObjectInfo, ...], target: Path, progress: Progress) -> None:
    total, done = sum(info.size for info in objects), 0

    def one(info: ObjectInfo) -> int:
        nonlocal done
        store.get_file(info.key, str(target / info.key))
        done += info.size
        progress(done, total)
        return info.size

    progress(0, total)
    in_parallel(one, objects, store.files_at_once)
