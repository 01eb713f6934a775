"""Waits before training for a storage that is away: says so, and only until it is asked to stop."""

import logging

from trainjobs.agent.status import Status
from trainjobs.agent.stop import StopRequests
from trainjobs.api.conditions import Reason
from trainjobs.core.reports import SyncState
from trainjobs.errors import Preempted, TrainjobsError

_log = logging.getLogger(__name__)


class Waiting:
    """An outage that nothing can be done in but wait."""

    def __init__(self, status: Status, stop: StopRequests) -> None:
        self._status = status
        self._stop = stop

    def wait(self, error: TrainjobsError, seconds: float) -> None:
        """Sleep before the next try.

        Raises:
            Preempted: asked to stop meanwhile.
        """
        if self._status.sync.healthy:
            _log.warning("%s; waiting for it", error)
        self._status.set_sync(SyncState(healthy=False, reason=error.reason, message=str(error)))
        self._stop.wait(seconds)
        if self._stop.asked:
            raise Preempted("stopped on request before training began")

    def over(self) -> None:
        """Note that storage answers."""
        if not self._status.sync.healthy:
            _log.info("storage answers again")
        self._status.set_sync(SyncState(reason=Reason.SYNCED))
