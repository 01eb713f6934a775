"""What the leader does: events put runs into the queue, workers look at them, agents report."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Iterable
from datetime import UTC, datetime
from typing import Any, Final

import kopf

from trainjobs.controller import events
from trainjobs.controller.apply import Applier
from trainjobs.controller.authority import Authority, keep_trusted
from trainjobs.controller.cleanup import CleanUps
from trainjobs.controller.directives import Directives
from trainjobs.controller.endpoint import Endpoint
from trainjobs.controller.gather import Gatherer, Memory
from trainjobs.controller.heartbeats import Heartbeats
from trainjobs.controller.keys import RunKey
from trainjobs.controller.pods import PodLookup
from trainjobs.controller.queue import WorkQueue
from trainjobs.controller.reconciler import OVERTAKEN, Reconciler
from trainjobs.controller.resync import resync_forever
from trainjobs.controller.runs import RunTable
from trainjobs.controller.settings import OperatorSettings
from trainjobs.controller.status_server import StatusServer
from trainjobs.controller.story import Storyteller
from trainjobs.controller.telemetry import Telemetry
from trainjobs.controller.tokens import TokenVerifier
from trainjobs.kube.client import Kube
from trainjobs.kube.errors import KubeError, LeaseLost
from trainjobs.kube.resources import PYTORCHJOBS

_log = logging.getLogger(__name__)

TRY_AGAIN: Final = 5.0
TAKE_BACK_SECONDS: Final = 0.1
FINISH_SECONDS: Final = 10.0
"""How long looks that have begun may take when the operator leaves."""


class Work:
    """The parts that work on runs, put together."""

    def __init__(self, kube: Kube, settings: OperatorSettings, telemetry: Telemetry, identity: str) -> None:
        self._kube = kube
        self._settings = settings
        self._telemetry = telemetry
        self.signalled = False
        """Whether a signal ended the watches."""
        self.table = RunTable()
        self.heartbeats = Heartbeats()
        self.directives = Directives(kube, self.table)
        self.memory = Memory(self.heartbeats.of)
        self.authority = Authority(settings)
        self.clean_ups = CleanUps(kube, settings.image)
        self.story = Storyteller(kube, identity, telemetry.event_lost)
        self.gatherer = Gatherer(kube, settings, self.memory)
        reconciler = Reconciler(
            gatherer=self.gatherer,
            applier=Applier(kube, settings, self.memory, self.story, self.clean_ups, self.authority),
            clean_ups=self.clean_ups,
            settings=settings,
            table=self.table,
            wake=self.wake,
            forget=self._forget,
            watcher=telemetry,
            clock=_now,
        )
        self.queue: WorkQueue[RunKey] = WorkQueue(
            reconciler.reconcile,
            workers=settings.workers,
            observer=telemetry,
            expected=(KubeError,),
            overtaken=OVERTAKEN,
        )

    def wake(self, key: RunKey) -> None:
        """Ask for a look at a run."""
        self.queue.put(key)

    async def run(self, leave: asyncio.Event, on_watching: Callable[[], None] | None) -> None:
        """Work until `leave` is set or the watches end by themselves, and finish what is begun.

        Args:
            leave: ends the work.
            on_watching: called once the watches run; kopf has taken the signals by then. None: somebody else
                watches, and calls `wake`.
        """
        async with self._status_server():
            # The workers before the watches: kopf cancels at its end every task that is younger than itself.
            working = asyncio.create_task(self.queue.run(), name="queue")
            others = [
                asyncio.create_task(leave.wait(), name="leave"),
                asyncio.create_task(self._resync(), name="resync"),
                asyncio.create_task(self._until_backend_appears(), name="backend"),
            ]
            stop_watching = asyncio.Event()
            watches = [] if on_watching is None else [self._start_watches(stop_watching, on_watching)]
            try:
                await asyncio.wait((working, *others, *watches), return_when=asyncio.FIRST_COMPLETED)
            finally:
                self.queue.close()
                for task in others:
                    task.cancel()
                await asyncio.wait([working], timeout=FINISH_SECONDS)
                stop_watching.set()
                await asyncio.wait((*others, *watches))
                _complain((working, *others, *watches))

    def _start_watches(self, stop: asyncio.Event, on_watching: Callable[[], None]) -> "asyncio.Task[None]":
        return asyncio.create_task(self._watch(stop, _Calling(on_watching)), name="watches")

    async def _watch(self, stop: asyncio.Event, watching: asyncio.Event) -> None:
        registry, configured = kopf.OperatorRegistry(), kopf.OperatorSettings()
        events.watch(registry, self.wake)
        events.log_in(registry)
        events.configure(configured)
        namespaces = self._settings.watch_namespaces
        await kopf.operator(
            registry=registry,
            settings=configured,
            standalone=True,
            clusterwide=not namespaces,
            namespaces=namespaces,
            stop_flag=stop,
            ready_flag=watching,
        )
        # It fails, or it was told to end: by us, or by a signal that came before we had taken those back.
        self.signalled = not stop.is_set()

    async def _resync(self) -> None:
        await resync_forever(
            self._kube,
            self._settings.watch_namespaces,
            self._settings.resync_seconds,
            known=self.table.keys,
            wake=self.wake,
        )

    async def _until_backend_appears(self) -> None:
        """Return when PyTorchJobs are known that were not: watches see what was there at their start."""
        place = next(iter(self._settings.watch_namespaces), None)
        while True:
            await asyncio.sleep(TRY_AGAIN)
            if not self.gatherer.backend_missing:
                continue
            with contextlib.suppress(KubeError):
                if await self._kube.serves(PYTORCHJOBS, place):
                    _log.warning("PyTorchJobs are known now: starting anew, to watch them")
                    return

    @contextlib.asynccontextmanager
    async def _status_server(self) -> AsyncIterator[None]:
        settings = self._settings.status_server
        if not settings.certificate:
            _log.warning("no statusServer.certificate: agents cannot report, progress is not shown")
            yield
            return
        server = StatusServer(
            verifier=TokenVerifier(self._kube, self._settings.defaults.status_audience),
            pods=PodLookup(self._kube, self.table),
            table=self.table,
            heartbeats=self.heartbeats,
            directives=self.directives,
            wake=self.wake,
            heard=self._telemetry.heard,
            clock=_now,
        )
        async with server.serving(settings) as port:
            self.memory.listening_since = _now()
            _log.info("agents report to port %d", port)
            beside = (
                asyncio.create_task(self._point_service(port), name="endpoint"),
                asyncio.create_task(
                    keep_trusted(self._kube, self._settings, self.authority), name="authority"
                ),
            )
            try:
                yield
            finally:
                for task in beside:
                    task.cancel()
                await asyncio.wait(beside)
                _complain(beside)

    async def _point_service(self, port: int) -> None:
        settings = self._settings.status_server
        if not settings.service or not settings.advertised_address:
            return
        endpoint = Endpoint(self._kube, self._settings.namespace, settings.service)
        while True:
            # Again and again: somebody may delete or change it while this replica leads.
            try:
                await endpoint.point_to(settings.advertised_address, port)
            except LeaseLost:
                return
            except KubeError as error:
                _log.warning("agents cannot reach this replica: %s", error)
            await asyncio.sleep(TRY_AGAIN)

    def _forget(self, run_uid: str) -> None:
        self.memory.forget(run_uid)
        self.clean_ups.forget(run_uid)
        self.story.forget(run_uid)
        self.heartbeats.forget(run_uid)
        self.directives.forget(run_uid)


class _Calling(asyncio.Event):
    """An event that calls somebody a moment after it is set.

    Kopf sets its ready flag at times just before it takes the signals, at times just after.
    """

    def __init__(self, call: Callable[[], None]) -> None:
        super().__init__()
        self._call = call

    def set(self) -> None:
        """Set it, and call."""
        super().set()
        asyncio.get_running_loop().call_later(TAKE_BACK_SECONDS, self._call)


def _complain(tasks: Iterable["asyncio.Task[Any]"]) -> None:
    for task in tasks:
        if task.done() and not task.cancelled() and (error := task.exception()) is not None:
            _log.error("%s ended: %s", task.get_name(), error, exc_info=error)


def _now() -> datetime:
    return datetime.now(UTC)
