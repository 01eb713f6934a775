"""A folder as a store: a disk, or a volume that several nodes share.

Written here rather than through obstore's LocalStore, because that one neither flushes files to the
disk nor their folders, and a manifest that outlives the weights it names is worse than none.
"""

import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from typing_extensions import override

from trainjobs.core.checkpoints.layout import safe_key
from trainjobs.core.uris import file_uri
from trainjobs.storage.budget import MemoryBudget
from trainjobs.storage.files import HashedParts, create_file, digest_of, fetch_file, local_error, write_file
from trainjobs.storage.settings import StorageSettings
from trainjobs.storage.store import Digest, ObjectInfo, ObjectNotFound, Store


class LocalStore(Store):
    """A `Store` over a folder; folders are made as they are needed."""

    def __init__(self, root: Path, settings: StorageSettings, budget: MemoryBudget) -> None:
        self._root = root
        self._settings = settings
        self._budget = budget

    @property
    @override
    def uri(self) -> str:
        return file_uri(self._root)

    @property
    def budget(self) -> MemoryBudget:
        """What all transfers of this store and its folders share."""
        return self._budget

    @property
    @override
    def files_at_once(self) -> int:
        return self._settings.files_at_once

    @override
    def at(self, folder: str) -> "LocalStore":
        return LocalStore(self._path(folder), self._settings, self._budget)

    @override
    def check(self) -> None:
        nearest = self._root
        while not os.path.lexists(nearest):
            nearest = nearest.parent
        if not nearest.is_dir():
            raise local_error(NotADirectoryError(20, "not a folder"), nearest, "opening the storage folder")
        if not os.access(nearest, os.R_OK | os.W_OK | os.X_OK):
            raise local_error(PermissionError(13, "Permission denied"), nearest, "opening the storage folder")

    @override
    def put(self, key: str, data: bytes) -> None:
        write_file(self._path(key), (data,))

    @override
    def create(self, key: str, data: bytes) -> None:
        create_file(self._path(key), data)

    @override
    def get(self, key: str) -> bytes:
        path = self._path(key)
        try:
            return path.read_bytes()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            raise self._missing(key) from None
        except OSError as error:
            raise local_error(error, path, "reading") from error

    @override
    def put_file(self, key: str, path: str) -> Digest:
        with self._budget.hold(self._settings.part_bytes):
            parts = HashedParts(path, self._settings.part_bytes)
            return write_file(self._path(key), parts)

    @override
    def get_file(self, key: str, path: str, expected: Digest | None = None) -> Digest:
        with self._budget.hold(self._settings.part_bytes):
            parts = HashedParts(str(self._existing(key)), self._settings.part_bytes)
            return fetch_file(Path(path), parts, expected=expected, source=f"{self.uri}/{key}")

    @override
    def digest(self, key: str) -> Digest:
        with self._budget.hold(self._settings.part_bytes):
            return digest_of(str(self._existing(key)), self._settings.part_bytes)

    @override
    def head(self, key: str) -> ObjectInfo | None:
        path = self._path(key)
        try:
            return ObjectInfo(key, path.stat().st_size) if path.is_file() else None
        except OSError as error:
            raise local_error(error, path, "looking for the file") from error

    @override
    def list(self, folder: str = "") -> Iterator[ObjectInfo]:
        start = self._path(folder) if folder else self._root
        for parent, folders, names in os.walk(start, onerror=_raise_unless_missing):
            folders.sort()
            for name in sorted(names):
                path = Path(parent, name)
                if not _is_partial(name) and (info := self.head(path.relative_to(self._root).as_posix())):
                    yield info

    @override
    def delete(self, keys: Iterable[str]) -> None:
        for key in keys:
            path = self._path(key)
            try:
                path.unlink(missing_ok=True)
            except NotADirectoryError:
                continue
            except OSError as error:
                raise local_error(error, path, "deleting") from error
            self._drop_empty_folders(path.parent)

    @override
    def delete_folder(self, folder: str) -> None:
        path = self._path(folder)
        try:
            shutil.rmtree(path)
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:
            raise local_error(error, path, "deleting") from error
        self._drop_empty_folders(path.parent)

    def _path(self, key: str) -> Path:
        return self._root / safe_key(key)

    def _existing(self, key: str) -> Path:
        path = self._path(key)
        if not path.is_file():
            raise self._missing(key)
        return path

    def _missing(self, key: str) -> ObjectNotFound:
        return ObjectNotFound(f"{self.uri}/{key}: not found")

    def _drop_empty_folders(self, folder: Path) -> None:
        # Object storage has no folders: an emptied one must not stay behind here either.
        while folder != self._root:
            try:
                folder.rmdir()
            except OSError:
                return
            folder = folder.parent


def _is_partial(name: str) -> bool:
    return name.startswith(".") and name.endswith(".partial")


def _raise_unless_missing(error: OSError) -> None:
    if not isinstance(error, (FileNotFoundError, NotADirectoryError)):
        raise local_error(error, error.filename or "", "listing") from error
