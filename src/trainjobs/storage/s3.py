"""A folder of a bucket as a store, through obstore."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from typing_extensions import override

from trainjobs.core.checkpoints.layout import safe_key
from trainjobs.storage.budget import MemoryBudget
from trainjobs.storage.files import HashedParts, fetch_file, hashed
from trainjobs.storage.markers import without_markers
from trainjobs.storage.s3_connection import S3Connection
from trainjobs.storage.s3_errors import CREATING, LISTING
from trainjobs.storage.settings import MIB
from trainjobs.storage.store import Digest, ObjectInfo, ObjectNotFound, Store

if TYPE_CHECKING:
    from obstore import GetOptions

# S3's own limit on the parts of one object.
_MOST_PARTS = 10_000


class S3Store(Store):
    """A `Store` over the keys of a bucket that begin with a prefix."""

    def __init__(self, connection: S3Connection, prefix: str) -> None:
        self._connection = connection
        self._prefix = prefix

    @property
    @override
    def uri(self) -> str:
        bucket = self._connection.place.bucket
        return f"s3://{bucket}/{self._prefix}" if self._prefix else f"s3://{bucket}"

    @property
    def budget(self) -> MemoryBudget:
        """What all transfers of this bucket share."""
        return self._connection.budget

    @property
    @override
    def files_at_once(self) -> int:
        return self._connection.settings.files_at_once

    @override
    def at(self, folder: str) -> "S3Store":
        return S3Store(self._connection, self._full(folder))

    @override
    def check(self) -> None:
        bucket = self._connection.impatient
        self._connection.call_soon(
            LISTING, lambda: bucket.list_with_delimiter(self._full("checkpoints") + "/")
        )

    @override
    def put(self, key: str, data: bytes) -> None:
        full, bucket = self._full(key), self._connection.bucket
        self._connection.call(f"writing {full}", lambda: bucket.put(full, data, use_multipart=False))

    @override
    def create(self, key: str, data: bytes) -> None:
        full, bucket = self._full(key), self._connection.bucket
        self._connection.call(f"{CREATING} {full}", lambda: bucket.put(full, data, mode="create"))

    @override
    def get(self, key: str) -> bytes:
        full, bucket = self._full(key), self._connection.bucket
        return self._connection.call(f"reading {full}", lambda: bucket.get(full).bytes().to_bytes())

    @override
    def put_file(self, key: str, path: str) -> Digest:
        full = self._full(key)
        parts = HashedParts(path, self._connection.settings.part_bytes)
        if parts.size <= parts.part_bytes:
            self._put_whole(full, parts)
        else:
            parts.part_bytes = self._part_bytes(parts.size)
            self._put_parts(full, parts)
        return parts.digest

    def _put_whole(self, full: str, parts: HashedParts) -> None:
        with self.budget.hold(parts.size):
            data = next(iter([*parts]), b"")
            self._connection.call(
                f"writing {full}",
                lambda: self._connection.bucket.put(full, data, use_multipart=False),
            )

    def _put_parts(self, full: str, parts: HashedParts) -> None:
        # One file gets half of the budget, so that two go side by side; one part of it is being
        # read while the others are on their way.
        affordable = self.budget.total // parts.part_bytes // 2
        on_their_way = max(min(affordable, -(-parts.size // parts.part_bytes)) - 1, 1)
        with self.budget.hold((on_their_way + 1) * parts.part_bytes):
            self._connection.call(
                f"writing {full}",
                lambda: self._connection.bucket.put(
                    full, iter(parts), chunk_size=parts.part_bytes, max_concurrency=on_their_way
                ),
            )

    @override
    def get_file(self, key: str, path: str, expected: Digest | None = None) -> Digest:
        return fetch_file(Path(path), self._chunks(key), expected=expected, source=f"{self.uri}/{key}")

    @override
    def digest(self, key: str) -> Digest:
        return hashed(self._chunks(key))

    @override
    def head(self, key: str) -> ObjectInfo | None:
        full, bucket = self._full(key), self._connection.bucket
        try:
            meta = self._connection.call(f"looking for {full}", lambda: bucket.head(full))
        except ObjectNotFound:
            return None
        return ObjectInfo(key, meta["size"])

    @override
    def list(self, folder: str = "") -> Iterator[ObjectInfo]:
        prefix = self._full(folder) if folder else self._prefix
        bucket, skip = self._connection.bucket, len(self._prefix) + 1 if self._prefix else 0
        pages = self._connection.call(f"{LISTING} {prefix}", lambda: list(bucket.list(prefix or None)))
        listed = [ObjectInfo(meta["path"][skip:], meta["size"]) for page in pages for meta in page]
        yield from without_markers(listed, folder, lambda key: self.head(key) is not None)

    @override
    def delete(self, keys: Iterable[str]) -> None:
        for _ in self._connection.threads.map(self._delete, [self._full(key) for key in keys]):
            pass

    def _delete(self, full: str) -> None:
        # S3 has no word for an object that was not there; Google's has.
        with suppress(ObjectNotFound):
            self._connection.call(f"deleting {full}", lambda: self._connection.bucket.delete(full))

    @override
    def delete_folder(self, folder: str) -> None:
        self.delete([info.key for info in self.list(folder)])

    def _full(self, key: str) -> str:
        return f"{self._prefix}/{safe_key(key)}" if self._prefix else safe_key(key)

    def _part_bytes(self, size: int) -> int:
        smallest = -(-size // _MOST_PARTS)
        return max(self._connection.settings.part_bytes, -(-smallest // MIB) * MIB)

    def _chunks(self, key: str) -> Iterator[memoryview]:
        """Yield an object's parts in order while later ones are being fetched.

        All parts are of one version of the object: its ETag is a condition of each request.
        """
        full, bucket = self._full(key), self._connection.bucket
        meta = self._connection.call(f"looking for {full}", lambda: bucket.head(full))
        size, part = meta["size"], self._connection.settings.part_bytes

        def fetch(start: int) -> memoryview:
            options: GetOptions = {"range": (start, min(start + part, size))}
            if meta["e_tag"] is not None:
                options["if_match"] = meta["e_tag"]
            return self._connection.call(
                f"reading {full}", lambda: memoryview(bucket.get(full, options=options).bytes())
            )

        window = _Window(self._connection, part)
        try:
            for start in range(0, size, part):
                yield from window.room()
                window.submit(fetch, start)
            yield from window.rest()
        finally:
            window.close()


class _Window:
    """Parts of one object on their way, each paid for from the budget, handed out in order."""

    def __init__(self, connection: S3Connection, part_bytes: int) -> None:
        self._threads = connection.threads
        self._budget = connection.budget
        self._part_bytes = part_bytes
        self._parts: deque[tuple[Future[memoryview], int]] = deque()
        self._share: int | None = None

    def room(self) -> Iterator[memoryview]:
        """Take room for one more part; hand out finished ones first where there is none.

        Waiting for the budget while holding parts of it could deadlock with another file that does
        the same: so this waits only with empty hands.
        """
        while (share := self._budget.try_acquire(self._part_bytes)) is None:
            if not self._parts:
                share = self._budget.acquire(self._part_bytes)
                break
            yield from self._first()
        self._share = share

    def submit(self, fetch: Callable[[int], memoryview], start: int) -> None:
        """Fetch one more part in the room taken before."""
        assert self._share is not None
        share, self._share = self._share, None
        self._parts.append((self._threads.submit(fetch, start), share))

    def rest(self) -> Iterator[memoryview]:
        """Hand out everything that is still on its way."""
        while self._parts:
            yield from self._first()

    def _first(self) -> Iterator[memoryview]:
        future, share = self._parts[0]
        yield future.result()
        self._parts.popleft()
        self._budget.release(share)

    def close(self) -> None:
        """Give back the room of parts that nobody will take."""
        for future, share in self._parts:
            if not future.cancel():
                future.exception()
            self._budget.release(share)
        if self._share is not None:
            self._budget.release(self._share)
