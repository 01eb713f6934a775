"""The protocol that folders and object storage have in common."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from trainjobs.errors import StorageUnusable


class AlreadyExists(StorageUnusable):
    """An object that may be created only once is there already."""


class ObjectNotFound(StorageUnusable):
    """An object that was asked for is not there."""


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """One stored object: its key under the store's root, and its size in bytes."""

    key: str
    size: int


@dataclass(frozen=True, slots=True)
class Digest:
    """Size in bytes and SHA-256 in hexadecimal of what was read or written."""

    size: int
    sha256: str


class Store(Protocol):
    """A folder of objects; keys are relative to it, with `/` between the parts.

    An object appears whole under its key or not at all. Every method refuses a key that leaves the
    folder (InvalidRecipe) before it touches a byte, and raises

        AccessDenied        credentials are missing or wrong, or the permission is
        StorageUnavailable  storage is away
        StorageUnusable     storage is full, the bucket is not there, or who answers is not trusted

    Methods may be called from several threads at once.
    """

    @property
    def uri(self) -> str:
        """The URI of the folder, without a slash at the end."""

    @property
    def files_at_once(self) -> int:
        """How many files it is worth reading or writing side by side."""

    def at(self, folder: str) -> "Store":
        """Return the store of a folder below this one; nothing is made or read."""

    def check(self) -> None:
        """Read from the folder once, without long retries, to learn early that storage is not there."""

    def put(self, key: str, data: bytes) -> None:
        """Write an object, or replace it."""

    def create(self, key: str, data: bytes) -> None:
        """Write an object that must not exist.

        Raises:
            AlreadyExists: it does. Of several writers at once exactly one succeeds. After an answer
                was lost on the way, it may be the caller's own object: compare what is there.
        """

    def get(self, key: str) -> bytes:
        """Return a small object whole.

        Raises:
            ObjectNotFound: it is not there.
        """

    def put_file(self, key: str, path: str) -> Digest:
        """Write a file of any size as an object; the checksum is computed while reading.

        Raises:
            InvalidData: the file is gone or changed while it was read.
        """

    def get_file(self, key: str, path: str, expected: Digest | None = None) -> Digest:
        """Read an object of any size into a file, which appears only when it is whole and as expected.

        Raises:
            ObjectNotFound: it is not there.
            CorruptCheckpoint: its size or checksum is not the expected one.
            DiskFull: the file cannot be written.
        """

    def digest(self, key: str) -> Digest:
        """Read an object and return its size and checksum.

        Raises:
            ObjectNotFound: it is not there.
        """

    def head(self, key: str) -> ObjectInfo | None:
        """Return an object's size, or None when it is not there."""

    def list(self, folder: str = "") -> Iterator[ObjectInfo]:
        """Yield every object below a folder, in no particular order; nothing when it is not there."""

    def delete(self, keys: Iterable[str]) -> None:
        """Delete objects; one that is not there is no error."""

    def delete_folder(self, folder: str) -> None:
        """Delete everything below a folder, half-written files included."""
