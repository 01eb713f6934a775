"""What attempts before this one measured and said: it goes with every checkpoint, and on from there."""

import shutil
from pathlib import Path

from trainjobs.core.outputs import LOG, METRICS

_FILES = (METRICS, LOG)


def past_of(output: Path) -> dict[str, str]:
    """Return file name → content of the history so far, as a checkpoint carries it."""
    found = ((name, output / name) for name in _FILES)
    return {
        name: path.read_text(encoding="utf-8", errors="replace") for name, path in found if path.is_file()
    }


def take_along(checkpoint: Path, output: Path) -> None:
    """Bring the history that a checkpoint carries into a new attempt's folder; one that is there stays."""
    for name in _FILES:
        if (checkpoint / name).is_file() and not (output / name).exists():
            aside = output / f".{name}.partial"
            shutil.copyfile(checkpoint / name, aside)
            aside.replace(output / name)
