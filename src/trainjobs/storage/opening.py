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
    settings = settings or StorageSettings.from_environment(os.environ)
    try:
        parts, folder = parse_uri(uri), file_path(uri)
    except InvalidRecipe as error:
        raise InvalidRecipe(f"storage {error}") from None
    if folder is not None:
        store: Store = LocalStore(Path(folder), settings, MemoryBudget(settings.memory_bytes))
    elif parts.scheme is Scheme.OBJECTS:
        store = _open_s3(parts, settings)
    else:
        raise InvalidRecipe(f"storage {uri!r:.200}: use s3://bucket/prefix or file:///folder")
    store.check()
    return store


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
