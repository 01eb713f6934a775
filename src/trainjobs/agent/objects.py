"""`s3://…` models and data: fetched into the cache, verified where a manifest says what to expect."""

import hashlib
from collections.abc import Callable, Collection
from pathlib import Path

from trainjobs.core.checkpoints.layout import MANIFEST, safe_key
from trainjobs.core.checkpoints.parts import everything, files_here
from trainjobs.errors import InvalidRecipe, TrainjobsError
from trainjobs.storage.complete import read_manifest
from trainjobs.storage.opening import open_store
from trainjobs.storage.settings import StorageSettings
from trainjobs.storage.store import ObjectInfo, Store
from trainjobs.storage.transfer import download_folder, in_parallel

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
    _refuse_no_path(uri)
    folder, _, name = uri.rstrip("/").rpartition("/")
    target = cache / "s3" / hashlib.sha256(uri.encode()).hexdigest()[:24]
    parent = open_store(folder, settings=settings) if folder not in ("s3:/", "s3:") else None
    store = parent.at(name) if parent is not None else open_store(uri, settings=settings)
    if parent is not None and (one := parent.head(name)) is not None and not _is_marker(one, store):
        _fetch(parent, (one,), target, progress)
        return target / name
    if store.head(MANIFEST) is not None:
        manifest = read_manifest(store)
        _drop_others(target, files_here(manifest, everything).keys())
        download_folder(store, manifest, target)
        progress(manifest.size, manifest.size)
        return target
    found = tuple(store.list())
    if not found:
        raise missing(f"{uri}: nothing is stored there; check the bucket and the path")
    _refuse_clash(store, found)
    _fetch(store, found, target, progress)
    return target


def _refuse_no_path(uri: str) -> None:
    """A doubled slash names another object than a single one: it must not be taken for it."""
    key = uri.removeprefix("s3://").partition("/")[2].removesuffix("/")
    if key:
        safe_key(key)


def _drop_others(target: Path, keys: Collection[str]) -> None:
    """Delete what an earlier fetch left and is stored no longer: it would be read like the rest.

    Half-written files stay: they may be of somebody who is writing them.
    """
    for path in target.rglob("*"):
        if (
            not path.is_dir()
            and path.suffix != ".partial"
            and path.relative_to(target).as_posix() not in keys
        ):
            path.unlink(missing_ok=True)


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
    _drop_others(target, {info.key for info in objects})

    def one(info: ObjectInfo) -> int:
        nonlocal done
        store.get_file(info.key, str(target / info.key))
        done += info.size
        progress(done, total)
        return info.size

    progress(0, total)
    in_parallel(one, objects, store.files_at_once)
