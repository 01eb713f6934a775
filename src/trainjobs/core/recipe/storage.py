"""Where a run is stored: as it was pinned when it started, before that as the run and the platform say."""

from trainjobs.api.runs import Run
from trainjobs.api.status import StorageStatus
from trainjobs.core.checkpoints.layout import run_prefix
from trainjobs.core.settings import Settings
from trainjobs.core.uris import below
from trainjobs.errors import InvalidRecipe


def stored_at(run: Run, settings: Settings) -> StorageStatus:
    """The run's own folder, and by which names it is reached.

    Raises:
        InvalidRecipe: neither the run nor the platform names a storage.
    """
    own = run.spec.checkpoints.storage
    if own.uri is None and settings.run_store is not None:
        # The very folder that the command was pointed at, wherever it was moved to since.
        return StorageStatus(uri=settings.run_store)
    if run.status.storage is not None:
        return run.status.storage
    names = own.model_dump(exclude={"uri"})
    if own.uri is None:
        for name, value in _defaults(settings).items():
            names[name] = names[name] or value
    return StorageStatus(uri=_folder(run, own.uri or settings.storage_uri), **names)


def to_pin(run: Run, settings: Settings) -> StorageStatus | None:
    """What is pinned when the run starts; None on this machine, and where no storage is known."""
    if run.spec.checkpoints.storage.uri is None and settings.run_store is not None:
        return None
    try:
        return stored_at(run, settings)
    except InvalidRecipe:
        return None


def _folder(run: Run, base: str | None) -> str:
    if not base:
        raise InvalidRecipe(
            "spec.checkpoints.storage.uri: no storage is given here and the platform has no default; "
            "give s3://bucket/prefix or pvc://claim/path"
        )
    return below(base, _prefix(run))


def base_of(run: Run, storage: StorageStatus) -> str:
    """The storage that the run's folder is in, as a manifest names it."""
    if not run.metadata.uid:
        # Tried, not run: in no folder of its own.
        return storage.uri
    return storage.uri.removesuffix(f"/{_prefix(run)}")


def _prefix(run: Run) -> str:
    meta = run.metadata
    return run_prefix(namespace=meta.namespace, kind=run.kind, name=meta.name, uid=meta.uid)


def _defaults(settings: Settings) -> dict[str, str | None]:
    return {
        "endpoint": settings.storage_endpoint,
        "region": settings.storage_region,
        "secret_name": settings.storage_secret_name,
        "ca_config_map_name": settings.storage_ca_config_map_name,
    }
