"""Trackers that a run would miss on this machine."""

from collections.abc import Iterator
from importlib.util import find_spec

from trainjobs.api.runs import Run
from trainjobs.core.trackers import missing
from trainjobs.errors import InvalidRecipe


def missing_trackers(run: Run) -> Iterator[tuple[str, str]]:
    """Yield the field of every tracker whose package is not here, and what to do.

    A machine without torch trains nothing itself, and says nothing of others; scripts of one's own track
    by themselves.
    """
    if run.spec.runtime.command or not _is_installed("torch"):
        return
    yield from missing(run.spec.tracking, _is_installed)


def check_trackers(run: Run) -> None:
    """InvalidRecipe, naming the first of them, where a tracker is missing."""
    for found in missing_trackers(run):
        raise InvalidRecipe(": ".join(found))


def _is_installed(package: str) -> bool:
    return find_spec(package) is not None
