"""Which artifacts are a run's own, in its storage and in a folder on this machine."""

from pathlib import Path

from trainjobs.core.checkpoints.layout import (
    ARTIFACTS,
    RESULT,
    ArtifactRef,
    parse_artifact_key,
)
from trainjobs.core.checkpoints.results import artifacts_in
from trainjobs.core.uris import file_uri
from trainjobs.errors import InvalidRecipe, StorageUnavailable
from trainjobs.storage.attempts import Attempts
from trainjobs.storage.opening import open_to_read
from trainjobs.storage.settings import StorageSettings
from trainjobs.storage.store import ObjectNotFound, Store


def artifacts_of(store: Store) -> dict[str, ArtifactRef]:
    """Return the complete artifacts of the run that `store` holds, sorted by name.

    They are those that the run's result names; while it has none, those of its newest attempt. What an
    attempt uploads that was replaced is nobody's.

    Raises:
        CorruptCheckpoint: the result is damaged.
    """
    complete = complete_artifacts(store)
    result = _result(store)
    if result is not None:
        counting = complete & artifacts_in(result, f"{store.uri}/{RESULT}")
    else:
        claimed = Attempts(store).numbers() or tuple(ref.attempt for ref in complete)
        counting = frozenset(ref for ref in complete if ref.attempt == max(claimed))
    return {ref.name: ref for ref in sorted(counting)}


def complete_artifacts(store: Store) -> frozenset[ArtifactRef]:
    """Return every artifact that was stored whole, of whichever attempt."""
    # An empty manifest stands for one that is gone, where nothing may be deleted.
    found = ((parse_artifact_key(info.key), info) for info in store.list(ARTIFACTS))
    return frozenset(
        ref for ref, info in found if ref is not None and info.key == ref.manifest_key and info.size > 0
    )


def artifact_here(run: Path, name: str) -> Path | None:
    """Return where an artifact lies in a run's folder on this machine, or None where there is none."""
    try:
        ref = artifacts_of(open_to_read(file_uri(run.absolute()), settings=StorageSettings())).get(name)
    except (InvalidRecipe, StorageUnavailable):
        # Not the folder of a run, or none that can be read: whoever looks further says what it is.
        return None
    return None if ref is None else run / ref.folder


def _result(store: Store) -> bytes | None:
    try:
        return store.get(RESULT)
    except ObjectNotFound:
        return None
