"""Files on this machine: read with a checksum, written so that no torn file ever has its final name."""

import errno
import hashlib
import mmap
import os
import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from trainjobs.errors import (
    AccessDenied,
    CorruptCheckpoint,
    DiskFull,
    InvalidData,
    StorageUnavailable,
    StorageUnusable,
    TrainjobsError,
)
from trainjobs.storage.store import AlreadyExists, Digest

Chunk = bytes | memoryview

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_OPEN_TRIES = 10
_DENIED = {errno.EACCES, errno.EPERM, errno.EROFS}
# What a volume says whose server or device is away: NFS soft mounts, FUSE, block devices over a network.
_AWAY = {
    *(errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.ENOTCONN, errno.ECONNREFUSED, errno.ECONNABORTED),
    *(errno.EHOSTDOWN, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENETDOWN, errno.EREMOTEIO),
}


def local_error(error: OSError, path: str | Path, doing: str) -> TrainjobsError:
    """Return the error of ours that says what the operating system refused."""
    text = f"{path}: {error.strerror or error} while {doing}"
    if error.errno in _FULL:
        return StorageUnusable(f"{text}; free some space or keep fewer checkpoints")
    if error.errno in _DENIED:
        return AccessDenied(f"{text}; check the folder's owner and mode")
    return StorageUnavailable(text) if error.errno in _AWAY else StorageUnusable(text)


def _own_error(error: OSError, path: Path, doing: str) -> TrainjobsError:
    """As `local_error`, of the disk that what is fetched goes to: waiting for a storage would not help."""
    denied = error.errno in _DENIED
    advice = "check the folder's owner and mode" if denied else "free some space there (spec.workspace.size)"
    return DiskFull(f"{path}: {error.strerror or error} while {doing}; {advice}")


class HashedParts:
    """The parts of a file, read one after the other, hashed on the way.

    The iteration raises InvalidData when the file was changed meanwhile: whoever writes it has not
    finished.
    """

    def __init__(self, path: str, part_bytes: int) -> None:
        self.path = path
        self.part_bytes = part_bytes
        self._hash = hashlib.sha256()
        self._read = 0
        try:
            self._before = os.stat(path)
        except FileNotFoundError as error:
            raise InvalidData(f"{path}: not found; was it deleted before it was read?") from error
        except OSError as error:
            raise local_error(error, path, "reading") from error
        self.size = self._before.st_size

    def __iter__(self) -> Iterator[memoryview]:
        self._hash, self._read = hashlib.sha256(), 0
        try:
            with open(self.path, "rb", buffering=0) as file:
                while part := _read_part(file.fileno(), self.part_bytes):
                    self._hash.update(part)
                    self._read += len(part)
                    yield part
                self._refuse_change(os.fstat(file.fileno()))
        except OSError as error:
            raise local_error(error, self.path, "reading") from error

    def _refuse_change(self, after: os.stat_result) -> None:
        before = self._before
        if (
            self._read != self.size
            or after.st_mtime_ns != before.st_mtime_ns
            or after.st_ino != before.st_ino
        ):
            raise InvalidData(f"{self.path}: changed while it was being read; wait until it is finished")

    @property
    def digest(self) -> Digest:
        """Size and checksum of what was read."""
        return Digest(self._read, self._hash.hexdigest())


def _read_part(descriptor: int, size: int) -> memoryview:
    """Return the next `size` bytes of a file, fewer only at its end.

    The memory comes straight from the system and goes back to it: from the heap, parts read by
    several threads left it so fragmented that the process grew to ten times the budget.
    """
    part = memoryview(mmap.mmap(-1, size))
    filled = 0
    while filled < size and (count := os.readv(descriptor, [part[filled:]])):
        filled += count
    return part[:filled]


def digest_of(path: str, part_bytes: int) -> Digest:
    """Return the size and checksum of a file."""
    parts = HashedParts(path, part_bytes)
    for _ in parts:
        pass
    return parts.digest


def hashed(chunks: Iterable[Chunk]) -> Digest:
    """Return the size and checksum of what the chunks hold."""
    digest = hashlib.sha256()
    size = 0
    for chunk in chunks:
        digest.update(chunk)
        size += len(chunk)
    return Digest(size, digest.hexdigest())


def write_file(path: Path, chunks: Iterable[Chunk]) -> Digest:
    """Write chunks to a file of a storage that appears under its name only when whole and durable.

    Raises:
        StorageUnusable, AccessDenied: the disk is full, or the folder may not be written; nothing is left.
    """
    with _Partial(path, local_error) as partial:
        found = hashed(partial.written(chunks))
        partial.replace()
    return found


def fetch_file(path: Path, chunks: Iterable[Chunk], *, expected: Digest | None, source: str) -> Digest:
    """Write chunks out of a storage to a file of this machine, as `write_file`, if they are as expected.

    Args:
        source: what is being read, for the error about a wrong checksum.

    Raises:
        CorruptCheckpoint: what arrived is not what was expected; nothing is left behind.
        DiskFull: the disk is full, or the folder cannot be written.
    """
    with _Partial(path, _own_error) as partial:
        found = hashed(partial.written(chunks))
        if expected is not None and found != expected:
            raise CorruptCheckpoint(_difference(source, expected, found))
        partial.replace()
    return found


def create_file(path: Path, data: bytes) -> None:
    """Write a file that must not exist; of several writers exactly one succeeds, and it is never torn.

    Raises:
        AlreadyExists: there is a file of that name.
    """
    with _Partial(path, local_error) as partial:
        partial.write(data)
        partial.link()


def _difference(source: str, expected: Digest, found: Digest) -> str:
    if expected.size != found.size:
        differs = f"has {found.size} bytes instead of {expected.size}"
    else:
        differs = f"checksum is {found.sha256[:16]}… instead of {expected.sha256[:16]}…"
    return f"{source}: {differs}; it was damaged in storage, or on its way here"


class _Partial:
    """A file being written beside its final name; gone when the block ends, unless published."""

    def __init__(self, path: Path, refused: Callable[[OSError, Path, str], TrainjobsError]) -> None:
        self._path = path
        self._refused = refused
        self._partial = path.parent / f".{path.name[:200]}.{secrets.token_hex(6)}.partial"
        self._descriptor = -1

    def __enter__(self) -> "_Partial":
        try:
            self._descriptor = self._open()
        except OSError as error:
            raise self._refused(error, self._path, "making the file") from error
        return self

    def _open(self) -> int:
        for _ in range(_OPEN_TRIES):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            # A deletion beside us may take the folder away again while it is empty.
            with suppress(FileNotFoundError):
                return os.open(self._partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        raise FileNotFoundError(errno.ENOENT, "the folder keeps disappearing")

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)
        with suppress(FileNotFoundError):
            os.unlink(self._partial)

    def write(self, data: Chunk) -> None:
        """Append all of `data`."""
        view = memoryview(data).cast("B")
        try:
            while view:
                view = view[os.write(self._descriptor, view) :]
        except OSError as error:
            raise self._refused(error, self._path, "writing") from error

    def written(self, chunks: Iterable[Chunk]) -> Iterator[Chunk]:
        """Append each chunk, and pass it on."""
        for chunk in chunks:
            self.write(chunk)
            yield chunk

    def replace(self) -> None:
        """Give the file its final name, in place of whatever had it."""
        try:
            os.fsync(self._descriptor)
            os.replace(self._partial, self._path)
            _sync_folder(self._path.parent)
        except OSError as error:
            raise self._refused(error, self._path, "finishing the file") from error

    def link(self) -> None:
        """Give the file its final name, if nothing has it."""
        try:
            os.fsync(self._descriptor)
            os.link(self._partial, self._path)
            _sync_folder(self._path.parent)
        except FileExistsError:
            raise AlreadyExists(f"{self._path}: exists already") from None
        except OSError as error:
            raise self._refused(error, self._path, "creating the file once (needs hard links)") from error


def _sync_folder(folder: Path) -> None:
    # A rename is durable only when its folder is.
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
