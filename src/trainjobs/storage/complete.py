"""A folder with a manifest at its root, a checkpoint or an artifact: read, fetched, proved."""

from dataclasses import dataclass
from pathlib import Path

from trainjobs.core.checkpoints.layout import MANIFEST, CheckpointRef
from trainjobs.core.checkpoints.manifest import Manifest
from trainjobs.core.checkpoints.parts import Needs, everything
from trainjobs.errors import CorruptCheckpoint
from trainjobs.storage.store import ObjectNotFound, Store
from trainjobs.storage.transfer import damage, download_folder


@dataclass(frozen=True, slots=True)
class Damage:
    """Something in storage that is not as it was written: a folder, a file in it, what is wrong."""

    folder: str
    file: str
    problem: str


def read_manifest(store: Store) -> Manifest:
    """Return the manifest at the root of a store.

    Raises:
        CorruptCheckpoint: there is none, so nothing complete was ever stored there; or it is damaged.
    """
    source = f"{store.uri}/{MANIFEST}"
    try:
        data = store.get(MANIFEST)
    except ObjectNotFound:
        raise CorruptCheckpoint(f"{source}: not found; nothing complete is stored there") from None
    return Manifest.from_json(data, source)


def manifest_of(store: Store, folder: str, ref: CheckpointRef) -> Manifest:
    """Return the manifest of a checkpoint, or of a part of it, that lies in a folder of the run.

    Raises:
        CorruptCheckpoint: there is none; it is damaged, or another's.
    """
    manifest = read_manifest(store.at(folder))
    there = CheckpointRef(manifest.step, manifest.attempt)
    if there != ref:
        raise CorruptCheckpoint(f"{store.uri}/{folder}/{MANIFEST}: is the manifest of {there}")
    return manifest


def fetch_folder(store: Store, target: Path, needs: Needs = everything) -> Manifest:
    """Fetch the checkpoint or artifact at the root of a store into a folder, each file verified.

    Args:
        needs: which files of a checkpoint of several nodes this one reads.

    Raises:
        CorruptCheckpoint: there is no valid manifest, or a file is damaged; names it.
    """
    manifest = read_manifest(store)
    download_folder(store, manifest, target, needs)
    return manifest


def verify_folder(store: Store, folder: str) -> tuple[Damage, ...]:
    """Read back every file that the manifest of `folder` names; return what is damaged."""
    try:
        manifest = read_manifest(store.at(folder))
    except CorruptCheckpoint as error:
        return (Damage(folder, MANIFEST, str(error)),)
    return tuple(Damage(folder, file, problem) for file, problem in damage(store.at(folder), manifest))
