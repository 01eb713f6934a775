"""Which of several replicas works: the one whose name stands in a Lease, as long as it renews it in time.

All times are this process's own, from a clock that never goes back; times in the Lease are only compared for
being other than before. So clocks of different machines need not agree. The leader stops writing earlier
(`renewDeadlineSeconds` after its last renewal) than another replica takes over (`leaseSeconds` after the
last renewal that it saw).
"""

import asyncio
import logging
import math
from collections.abc import Callable
from datetime import UTC, datetime
from time import monotonic

from trainjobs.controller.settings import LeaderElection
from trainjobs.core.plan.objects import Object, child, text
from trainjobs.kube.client import Kube
from trainjobs.kube.errors import AlreadyExists, Conflict, KubeError, LeaseLost
from trainjobs.kube.resources import LEASES

_log = logging.getLogger(__name__)


class Elector:
    """Gets, keeps and gives back the Lease."""

    def __init__(
        self,
        kube: Kube,
        settings: LeaderElection,
        *,
        namespace: str,
        identity: str,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """Make an elector.

        Args:
            kube: for the Lease alone: unguarded, and with a request timeout below the renewal deadline.
            settings: its name and times.
            namespace: where the Lease is.
            identity: this replica's name; no other process ever has it.
            clock: seconds, never going back.
        """
        self._kube = kube
        self._settings = settings
        self._namespace = namespace
        self._identity = identity
        self._clock = clock
        self._renewed: float | None = None
        self._seen: tuple[str, ...] = ()
        self._seen_at = 0.0

    def leads(self) -> bool:
        """Whether this replica may write."""
        return self._renewed is not None and self._clock() - self._renewed < self._deadline

    def guard(self) -> float:
        """Seconds that a write may take from now on.

        Raises:
            LeaseLost: none may be begun.
        """
        if self._renewed is None or not self.leads():
            raise LeaseLost("this replica is not, or no longer, the leader: nothing is written")
        return self._settings.lease_seconds - (self._clock() - self._renewed)

    async def acquire(self) -> None:
        """Wait until this replica is the leader."""
        while not await self._try():
            await asyncio.sleep(self._settings.retry_seconds)
        _log.info("%s leads", self._identity)

    async def keep(self) -> None:
        """Renew for as long as that goes; return when the Lease is lost."""
        while self.leads():
            await asyncio.sleep(self._settings.retry_seconds)
            await self._try()
        self._renewed = None
        _log.error("%s leads no more: the lease was not renewed in time", self._identity)

    async def release(self) -> None:
        """Give the Lease back, so that another replica need not wait; a failure only costs that wait."""
        if not self.leads():
            return
        self._renewed = None
        try:
            lease = await self._kube.get(LEASES, self._namespace, self._settings.lease_name)
            if text(child(lease, "spec"), "holderIdentity") == self._identity:
                spec = {**child(lease, "spec"), "holderIdentity": "", "leaseDurationSeconds": 1}
                await self._kube.replace(LEASES, self._namespace, {**lease, "spec": spec})
                _log.info("%s has given the lease back", self._identity)
        except KubeError as error:
            _log.warning("the lease could not be given back: %s", error)

    @property
    def _deadline(self) -> float:
        return self._settings.renew_deadline_seconds

    async def _try(self) -> bool:
        """Take or renew the Lease, if it is free, old or this replica's own; whether that succeeded."""
        begun = self._clock()
        try:
            done = await self._take()
        except (AlreadyExists, Conflict):
            return False
        except KubeError as error:
            _log.warning("the lease cannot be had: %s", error)
            return False
        if done:
            # From before the request was sent: another replica cannot have seen it earlier.
            self._renewed = begun
        elif self._renewed is not None:
            _log.error("the lease is another replica's")
            self._renewed = None
        return done

    async def _take(self) -> bool:
        lease = await self._kube.find(LEASES, self._namespace, self._settings.lease_name)
        if lease is None:
            await self._kube.create(LEASES, self._namespace, self._new())
            return True
        spec = child(lease, "spec")
        holder = text(spec, "holderIdentity")
        if holder not in ("", self._identity) and not self._is_old(lease, spec):
            return False
        transitions = spec.get("leaseTransitions")
        count = transitions if isinstance(transitions, int) else 0
        fresh = self._spec(count if holder == self._identity else count + 1)
        if holder == self._identity and spec.get("acquireTime"):
            fresh["acquireTime"] = spec["acquireTime"]
        await self._kube.replace(LEASES, self._namespace, {**lease, "spec": fresh})
        return True

    def _is_old(self, lease: Object, spec: Object) -> bool:
        """Whether the holder has not renewed for as long as it said, by this process's clock."""
        seen = (text(spec, "holderIdentity"), text(spec, "renewTime"), text(child(lease, "metadata"), "uid"))
        if seen != self._seen:
            self._seen, self._seen_at = seen, self._clock()
            return False
        said = spec.get("leaseDurationSeconds")
        longest = said if isinstance(said, int) and said > 0 else self._settings.lease_seconds
        return self._clock() - self._seen_at >= longest

    def _spec(self, transitions: int) -> Object:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        return {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": math.ceil(self._settings.lease_seconds),
            "acquireTime": now,
            "renewTime": now,
            "leaseTransitions": transitions,
        }

    def _new(self) -> Object:
        return {
            "apiVersion": LEASES.api_version,
            "kind": LEASES.kind,
            "metadata": {"name": self._settings.lease_name, "namespace": self._namespace},
            "spec": self._spec(0),
        }
