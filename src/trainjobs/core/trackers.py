"""Trackers and the packages that they need."""

from collections.abc import Callable, Iterator

from trainjobs.api.tracking import Tracker, Tracking


def package_of(tracker: Tracker) -> str:
    """The package behind a tracker; the extra of trainjobs that brings it has the same name."""
    return tracker.type.lower()


def missing(tracking: Tracking, is_installed: Callable[[str], bool]) -> Iterator[tuple[str, str]]:
    """Yield the field of every tracker whose package is not there, and what to do.

    Args:
        tracking: what a manifest or a recipe asks for.
        is_installed: whether a package of this name can be imported here.
    """
    for index, tracker in enumerate(tracking.trackers):
        package = package_of(tracker)
        if tracker.mode != "Disabled" and not is_installed(package):
            yield (
                f"spec.tracking.trackers[{index}]",
                f"{tracker.type} needs the package {package}, which is not installed; install it with: "
                f"pip install 'trainjobs[{package}]', or remove the tracker",
            )
