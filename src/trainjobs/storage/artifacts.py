"""Where the artifacts of a run are found again: in its storage, and in a folder on this machine."""

from pathlib import Path

from trainjobs.core.checkpoints.layout import ARTIFACTS, MANIFEST, artifact_folder
from trainjobs.storage.store import Store


def artifacts_of(store: Store) -> dict[str, str]:
    """Return the complete artifacts of the run that `store` holds: name → folder, sorted by name."""
    # An empty manifest stands for one that is gone, where nothing may be deleted.
    parts = (info.key.split("/") for info in store.list(ARTIFACTS) if info.size > 0)
    names = sorted(part[1] for part in parts if len(part) == 3 and part[2] == MANIFEST)
    return {name: artifact_folder(name) for name in names}


def artifact_here(run: Path, name: str) -> Path | None:
    """Return where an artifact lies in a run's folder on this machine, or None where there is none."""
    folder = run / artifact_folder(name)
    return folder if folder.is_dir() else None
