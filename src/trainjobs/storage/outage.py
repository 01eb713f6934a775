"""What somebody may do while operations wait for a storage that is away."""

import time
from typing import Protocol

from trainjobs.errors import TrainjobsError


class Outage(Protocol):
    """Takes part in waiting for a storage that is away; called from any thread."""

    def wait(self, error: TrainjobsError, seconds: float) -> None:
        """Sleep before the next try. May raise, to give up."""

    def over(self) -> None:
        """An operation that waited got its answer."""


class Untold:
    """Only sleeps."""

    def wait(self, error: TrainjobsError, seconds: float) -> None:  # noqa: ARG002  (the protocol's signature)
        """Sleep before the next try."""
        time.sleep(seconds)

    def over(self) -> None:
        """Take no note."""
