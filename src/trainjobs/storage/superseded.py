"""Artifacts that nobody will ever read: a run has its result, and it names others.

A result is created once and never changes, so what it does not name once, it never will: whoever sees it may
delete the rest, an attempt that was replaced as well, at any time and more than once.
"""

from trainjobs.core.checkpoints.layout import ARTIFACTS, MANIFEST, RESULT, parse_artifact_folder
from trainjobs.core.checkpoints.results import artifacts_in
from trainjobs.storage.store import ObjectNotFound, Store


def superseded(store: Store) -> tuple[str, ...]:
    """Return the folders of artifacts, whole or not, that the result of the run in `store` does not name.

    None while the run has no result: until then, what an attempt has left may be the only model there is.

    Raises:
        CorruptCheckpoint: the result is damaged.
    """
    try:
        result = store.get(RESULT)
    except ObjectNotFound:
        return ()
    named = {ref.folder for ref in artifacts_in(result, f"{store.uri}/{RESULT}")}
    there = {"/".join(info.key.split("/")[:2]) for info in store.list(ARTIFACTS)}
    return tuple(
        folder
        for folder in sorted(there - named)
        # A newer version may name its artifacts in another way: then their folders stand there somehow.
        if parse_artifact_folder(folder) is not None and folder.encode() not in result
    )


def delete_superseded(store: Store) -> tuple[str, ...]:
    """Delete them; return which. Errors as of `superseded`."""
    gone = superseded(store)
    for folder in gone:
        # Without its manifest it does not exist: a deletion cut off here leaves no half one.
        store.delete([f"{folder}/{MANIFEST}"])
        store.delete_folder(folder)
    return gone
