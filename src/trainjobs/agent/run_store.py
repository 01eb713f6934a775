"""Opens the run's own folder in storage."""

import os
from dataclasses import replace

from trainjobs.agent.places import volume_uri
from trainjobs.core.recipe.model import Recipe
from trainjobs.storage.checkpoints import CheckpointStore
from trainjobs.storage.opening import open_store
from trainjobs.storage.outage import Outage
from trainjobs.storage.settings import StorageSettings

# While training: the agent itself goes on trying, and says so in its heartbeats.
_RETRY_SECONDS = 5.0


def storage_settings(recipe: Recipe, seconds: float) -> StorageSettings:
    """Return how storage is reached: the environment, and what the recipe says of its endpoint.

    Args:
        seconds: how long the first contact may take.
    """
    settings = StorageSettings.from_environment(os.environ)
    said = recipe.checkpoints.storage
    return replace(
        settings,
        endpoint=said.endpoint or settings.endpoint,
        region=said.region or settings.region,
        start_seconds=seconds,
        retry_seconds=_RETRY_SECONDS,
    )


def patient(settings: StorageSettings, outage: Outage) -> StorageSettings:
    """Return settings for what nothing can be done without: giving up would cost the run an attempt."""
    return replace(settings, retry_seconds=settings.start_seconds, outage=outage)


def open_run_store(
    recipe: Recipe, settings: StorageSettings, *, pvc_root: os.PathLike[str]
) -> CheckpointStore:
    """Open the folder that the recipe names.

    Raises:
        AccessDenied, StorageUnavailable, InvalidRecipe: it cannot be used; says why.
    """
    return CheckpointStore(open_store(volume_uri(recipe.store, pvc_root), settings=settings))
