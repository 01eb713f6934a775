"""Whole folders to and from storage, several files side by side, every file proved by its checksum."""

import os
import stat
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from pathlib import Path
from typing import TypeVar

from trainjobs.core.checkpoints.manifest import FileEntry, Manifest, entry_path
from trainjobs.core.checkpoints.parts import Needs, everything, files_here
from trainjobs.errors import CorruptCheckpoint, InvalidData, InvalidRecipe
from trainjobs.storage.files import digest_of
from trainjobs.storage.settings import MIB
from trainjobs.storage.store import Digest, ObjectNotFound, Store

Item = TypeVar("Item")
Result = TypeVar("Result")


def files_of(folder: Path) -> tuple[tuple[str, int], ...]:
    """Return (path under the folder, size) of every file below it, biggest first.

    Links to files count as the files; links to folders are not followed.

    Raises:
        InvalidData: there is nothing to store, or something that is neither file nor folder.
        InvalidRecipe: a name cannot be a key.
    """
    found: list[tuple[str, int]] = []
    for parent, folders, names in os.walk(folder):
        for name in [*names, *(name for name in folders if Path(parent, name).is_symlink())]:
            path = Path(parent, name)
            found.append((entry_path(path.relative_to(folder).as_posix()), _size(path)))
    if not found:
        raise InvalidData(f"{folder}: no files to store there")
    return tuple(sorted(found, key=lambda item: -item[1]))


def _size(path: Path) -> int:
    try:
        status = path.stat()
    except OSError as error:
        raise InvalidData(f"{path}: {error.strerror} while looking for files to store") from error
    if not stat.S_ISREG(status.st_mode):
        raise InvalidData(f"{path}: neither a file nor a folder; it cannot be stored")
    return status.st_size


def upload_folder(
    store: Store, source: Path, *, before_each: Callable[[], None] = lambda: None
) -> tuple[FileEntry, ...]:
    """Write every file of a folder to the store's root; return what was written, for the manifest.

    Args:
        before_each: called before a file is begun; what it raises stops the upload.
    """
    return upload_files(store, source, files_of(source), before_each=before_each)


def upload_files(
    store: Store,
    source: Path,
    files: Iterable[tuple[str, int]],
    *,
    before_each: Callable[[], None] = lambda: None,
) -> tuple[FileEntry, ...]:
    """As `upload_folder`, some of a folder's files (`files_of`)."""

    def upload(item: tuple[str, int]) -> FileEntry:
        before_each()
        digest = store.put_file(item[0], str(source / item[0]))
        return FileEntry(item[0], digest.size, digest.sha256)

    return in_parallel(upload, files, store.files_at_once)


def download_folder(store: Store, manifest: Manifest, target: Path, needs: Needs = everything) -> int:
    """Read the files that a manifest names, those that are needed, into a folder; return the bytes fetched.

    What several nodes wrote comes into one folder, as each of them had it. Who reads a part of it looks that
    the others are there, too: whoever chooses where all nodes go on must not choose what is half gone.

    A file that is there already with the right checksum is not fetched again, so that a download
    that was cut off goes on where it was.

    Raises:
        CorruptCheckpoint: a file is missing or not what the manifest says; names it.
        InvalidRecipe: a link in the target leads out of it.
    """

    def download(item: tuple[str, FileEntry]) -> int:
        path, entry = _inside(target, item[0]), item[1]
        expected = Digest(entry.size, entry.sha256)
        if _has(path, expected):
            return 0
        try:
            store.get_file(entry.path, str(path), expected)
        except ObjectNotFound as error:
            raise CorruptCheckpoint(
                f"{store.uri}/{entry.path}: named by the manifest, but not there"
            ) from error
        return entry.size

    if manifest.nodes > 1:
        _require_all_there(store, manifest)
    biggest_first = sorted(files_here(manifest, needs).items(), key=lambda item: -item[1].size)
    return sum(in_parallel(download, biggest_first, store.files_at_once))


def _require_all_there(store: Store, manifest: Manifest) -> None:
    there = {info.key: info.size for info in store.list()}
    for entry in manifest.files:
        size = there.get(entry.path)
        if size is None:
            raise CorruptCheckpoint(f"{store.uri}/{entry.path}: named by the manifest, but not there")
        if size != entry.size:
            raise CorruptCheckpoint(f"{store.uri}/{entry.path}: has {size} bytes instead of {entry.size}")


def damage(store: Store, manifest: Manifest) -> tuple[tuple[str, str], ...]:
    """Read back every file that a manifest names; return (path, problem) for each damaged one."""

    def check(entry: FileEntry) -> tuple[str, str] | None:
        try:
            found = store.digest(entry.path)
        except ObjectNotFound:
            return entry.path, "is missing"
        if found.size != entry.size:
            return entry.path, f"has {found.size} bytes instead of {entry.size}"
        return None if found.sha256 == entry.sha256 else (entry.path, "has a wrong checksum")

    return tuple(problem for problem in in_parallel(check, manifest.files, store.files_at_once) if problem)


def in_parallel(work: Callable[[Item], Result], items: Iterable[Item], at_once: int) -> tuple[Result, ...]:
    """Do the work for every item, several at once; return the results in the items' order.

    The first error stops what has not begun and is raised after what has begun has ended.
    """
    with ThreadPoolExecutor(at_once, thread_name_prefix="trainjobs-files") as threads:
        futures = [threads.submit(work, item) for item in items]
        try:
            done, _ = wait(futures, return_when=FIRST_EXCEPTION)
        finally:
            threads.shutdown(wait=True, cancel_futures=True)
        for error in _errors(future.exception() for future in done):
            raise error
    return tuple(future.result() for future in futures)


def _errors(outcomes: Iterable[BaseException | None]) -> Iterator[BaseException]:
    return (outcome for outcome in outcomes if outcome is not None)


def _inside(target: Path, path: str) -> Path:
    final = target / path
    if not final.parent.resolve().is_relative_to(target.resolve()):
        raise InvalidRecipe(f"{final}: a link leads out of {target}; remove it")
    return final


def _has(path: Path, expected: Digest) -> bool:
    if path.is_symlink() or not path.is_file() or path.stat().st_size != expected.size:
        return False
    return digest_of(str(path), 8 * MIB) == expected
