"""One look at one run: gather, decide, apply."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from time import monotonic
from typing import Final, Protocol

from trainjobs.api.labels import FINALIZER
from trainjobs.controller.apply import Applier, LookAgain
from trainjobs.controller.cleanup import CleanUps
from trainjobs.controller.gather import Gathered, Gatherer, Rejected
from trainjobs.controller.keys import RunKey
from trainjobs.controller.runs import RunTable
from trainjobs.controller.settings import OperatorSettings
from trainjobs.core.decide import decide
from trainjobs.core.decide.decision import Decision
from trainjobs.core.decide.deletion import never_ran
from trainjobs.core.decide.observed import Observed
from trainjobs.kube.errors import Conflict

AT_ONCE = timedelta()
OVERTAKEN: Final = (Conflict, LookAgain)
"""Somebody was faster: not an error."""


class Watcher(Protocol):
    """Is told how looks go, for metrics."""

    def looked(self, key: RunKey, outcome: str, seconds: float) -> None:
        """A run was looked at."""

    def decided(self, key: RunKey, observed: Observed, decision: Decision, now: datetime) -> None:
        """A decision was carried out."""

    def gone(self, key: RunKey) -> None:
        """A run is no more."""


@dataclass(frozen=True, slots=True)
class Reconciler:
    """Brings runs forward, one look at a time."""

    gatherer: Gatherer
    applier: Applier
    clean_ups: CleanUps
    settings: OperatorSettings
    table: RunTable
    wake: Callable[[RunKey], None]
    """Asks for a look at another run."""
    forget: Callable[[str], None]
    """Lets go of everything else that is remembered of a run, by its UID."""
    watcher: Watcher
    clock: Callable[[], datetime]

    async def reconcile(self, key: RunKey) -> timedelta | None:
        """Look at a run; when to look again, if nothing happens before.

        Raises:
            Conflict, LookAgain: somebody was faster; the next look sees what they did.
            KubeError: the API server did not do what it was asked; the next look starts from what came of it.
        """
        begun, outcome = monotonic(), "Error"
        try:
            outcome, after = await self._look(key)
        except OVERTAKEN:
            outcome = "Overtaken"
            raise
        finally:
            self.watcher.looked(key, outcome, monotonic() - begun)
        return after

    async def _look(self, key: RunKey) -> tuple[str, timedelta | None]:
        now = self.clock()
        gathered = await self.gatherer.gather(key, now)
        if gathered is None:
            self._forget(key)
            for dependent in self.table.dependents(key):
                self.wake(dependent)
            return "Gone", None
        self._forget(key, but=gathered.uid)
        if isinstance(gathered, Rejected):
            await self.applier.reject(key, gathered, now)
            return "Rejected", None
        gathered = await self._with_clean_up(gathered, now)
        decision, gathered = await self._brought_forward(key, gathered, now)
        if decision.requeue_after == AT_ONCE and not decision.stop:
            # What the next step starts from is written now; all else is as it was gathered.
            decision, _ = await self._brought_forward(key, gathered, now)
        return "Done", decision.requeue_after

    async def _brought_forward(
        self, key: RunKey, gathered: Gathered, now: datetime
    ) -> tuple[Decision, Gathered]:
        """Decide about a run, and carry it out; the run as it stands then."""
        observed = gathered.observed
        decision = decide(observed, now)
        # Before it is carried out: agents may report as soon as their pods are there.
        self.table.note(key, observed, decision.status, gathered.checkpoint_now)
        after = await self.applier.apply(key, gathered, decision, now)
        self.watcher.decided(key, observed, decision, self.clock())
        if decision.status.conditions != observed.run.status.conditions:
            for dependent in self.table.dependents(key):
                self.wake(dependent)
        return decision, after

    async def _with_clean_up(self, gathered: Gathered, now: datetime) -> Gathered:
        """What is known of the clean-up, for a run that is being deleted and held by our finalizer."""
        observed = gathered.observed
        run = observed.run
        if run.metadata.deletion_timestamp is None or FINALIZER not in observed.finalizers:
            return gathered
        if observed.storage is None or never_ran(observed):
            return gathered
        settings = self.settings.for_namespace(run.metadata.namespace)
        state = await self.clean_ups.state(run, observed.storage, settings, now)
        return replace(gathered, observed=replace(observed, clean_up=state))

    def _forget(self, key: RunKey, *, but: str = "") -> None:
        """Let go of the runs of a name that are no more; one made again under it begins with nothing."""
        gone = self.table.forget(key, but=but)
        for uid in gone:
            self.forget(uid)
        if gone:
            self.watcher.gone(key)
