"""The one way to open storage: by its URI."""

import os
from pathlib import Path

from trainjobs.core.checkpoints.layout import safe_key
from trainjobs.core.uris import Scheme, Uri, file_path, parse_uri
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
    store = _unchecked(uri, settings)
    store.check()
    return store


def open_to_read(uri: str, *, settings: StorageSettings | None = None) -> Store:
    """Open what is only read, and so may lie where nobody may write; arguments and errors as of `open_store`.

    A folder that is not there is an empty one.
    """
    store = _unchecked(uri, settings)
    if not isinstance(store, LocalStore):
        store.check()
    return store


def _unchecked(uri: str, settings: StorageSettings | None) -> Store:
    settings = settings or StorageSettings.from_environment(os.environ)
    try:
        parts, folder = parse_uri(uri), file_path(uri)
    except InvalidRecipe as error:
        raise InvalidRecipe(f"storage {error}") from None
    if folder is not None:
        return LocalStore(Path(folder), settings, MemoryBudget(settings.memory_bytes))
    if parts.scheme is Scheme.OBJECTS:
        return _open_s3(parts, settings)
    raise InvalidRecipe(f"storage {uri!r:.200}: use s3://bucket/prefix or file:///folder")


def _open_s3(uri: Uri, settings: StorageSettings) -> Store:
    bucket, prefix = uri.place, uri.path.strip("/")
    if not bucket or "?" in bucket or "#" in bucket or "@" in bucket:
        raise InvalidRecipe(f"storage {f's3://{bucket}'!r:.200}: name a bucket, as in s3://bucket/prefix")
    if prefix:
        safe_key(prefix)
    # boto3 and obstore take a third of a second to import: only who uses S3 pays for it.
    from trainjobs.storage.s3 import S3Store
    from trainjobs.storage.s3_connection import S3Connection

    connection = S3Connection(bucket, settings, MemoryBudget(settings.memory_bytes))
    return S3Store(connection, prefix)
