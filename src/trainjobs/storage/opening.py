"""The one way to open storage: by its URI."""

import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

from trainjobs.core.checkpoints.layout import safe_key
from trainjobs.errors import InvalidRecipe
from trainjobs.storage.budget import MemoryBudget
from trainjobs.storage.local import LocalStore
from trainjobs.storage.settings import StorageSettings
from trainjobs.storage.store import Store


def open_store(uri: str, *, settings: StorageSettings | None = None) -> Store:
    """Open `s3://bucket/prefix` or `file:///folder`, and read from it once to see that it is there.

    Args:
        settings: None reads them from the environment.

    Raises:
        InvalidRecipe: the URI or a setting is wrong.
        AccessDenied: there are no keys, or they are wrong.
        StorageUnavailable: the server cannot be reached (said within 10 seconds), or the bucket or
            folder is not usable.
    """
    settings = settings or StorageSettings.from_environment(os.environ)
    scheme = urlsplit(uri).scheme
    if scheme == "file":
        store: Store = LocalStore(_folder(uri), settings, MemoryBudget(settings.memory_bytes))
    elif scheme == "s3":
        store = _open_s3(uri, settings)
    else:
        raise InvalidRecipe(f"storage {uri!r:.200}: use s3://bucket/prefix or file:///folder")
    store.check()
    return store


def _folder(uri: str) -> Path:
    parts = urlsplit(uri)
    path = unquote(parts.path)
    if parts.netloc not in ("", "localhost") or parts.query or parts.fragment or not path.startswith("/"):
        raise InvalidRecipe(f"storage {uri!r:.200}: give an absolute path, as in file:///mnt/checkpoints")
    if "\0" in path or ".." in Path(path).parts:
        raise InvalidRecipe(f"storage {uri!r:.200}: the path must not contain '..'")
    return Path(path)


def _open_s3(uri: str, settings: StorageSettings) -> Store:
    bucket, _, prefix = uri.removeprefix("s3://").partition("/")
    prefix = prefix.strip("/")
    if not bucket or "?" in bucket or "#" in bucket or "@" in bucket:
        raise InvalidRecipe(f"storage {uri!r:.200}: name a bucket, as in s3://bucket/prefix")
    if prefix:
        safe_key(prefix)
    # boto3 and obstore take a third of a second to import: only who uses S3 pays for it.
    from trainjobs.storage.s3 import S3Store
    from trainjobs.storage.s3_connection import S3Connection

    connection = S3Connection(bucket, settings, MemoryBudget(settings.memory_bytes))
    return S3Store(connection, prefix)
