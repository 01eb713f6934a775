"""The operator as one program: wait to be the leader, work, and leave in order."""

import asyncio
import logging
import os
import secrets
import signal
import socket
from collections.abc import Coroutine
from functools import partial
from typing import Final

from trainjobs.controller.elector import Elector
from trainjobs.controller.health import LONGEST_WAIT, LONGEST_WORK, Health
from trainjobs.controller.settings import LeaderElection, OperatorSettings
from trainjobs.controller.telemetry import Present, Telemetry
from trainjobs.controller.work import Work
from trainjobs.kube.client import Kube, connect, unguarded
from trainjobs.kube.errors import KubeError
from trainjobs.kube.resources import RUNS

_log = logging.getLogger(__name__)

LEAVE_SECONDS: Final = 25.0
"""After this long on the way out the process ends whatever still hangs: less than a pod's grace."""
LOOK_SECONDS: Final = 5.0


class Program:
    """One replica."""

    def __init__(self, settings: OperatorSettings) -> None:
        self._settings = settings
        self._stop = asyncio.Event()
        self._health = Health()
        self._telemetry = Telemetry()
        host = settings.identity or socket.gethostname()
        # Another process under the same name, after a crash, is another replica.
        self._identity = f"{host}_{secrets.token_hex(4)}"

    async def run(self) -> int:
        """Run until a signal, or until this replica must not go on; the exit code."""
        self._take_signals()
        api = await connect(self._settings.kubeconfig)
        elector = self._elector(Kube(api, request_timeout=self._election_timeout()))
        kube = Kube(api, guard=elector.guard if elector else unguarded)
        work = Work(kube, self._settings, self._telemetry, self._identity)
        leads = elector.leads if elector else lambda: True
        self._telemetry.registry.register(Present(work.table, lambda: work.queue.depth, leads))
        self._health.live_problem = lambda: _stuck(work)
        try:
            async with self._health.serving(
                self._settings.metrics_host, self._settings.metrics_port, self._telemetry.text
            ) as port:
                _log.info("%s serves /metrics, /healthz and /readyz on port %d", self._identity, port)
                return await self._run(kube, elector, work)
        finally:
            await kube.close()

    async def _run(self, kube: Kube, elector: Elector | None, work: Work) -> int:
        if not await self._unless_stopped(self._kinds_are_known(kube)):
            return 0
        self._health.ready_problem = lambda: ""
        if elector is not None and not await self._unless_stopped(elector.acquire()):
            return 0
        try:
            return await self._lead(elector, work)
        finally:
            self._health.ready_problem = lambda: "is leaving"
            if elector is not None:
                await elector.release()

    async def _lead(self, elector: Elector | None, work: Work) -> int:
        """Work until told to stop (0), or until the lease is lost or the watches have ended (1)."""
        # Both before the work: kopf cancels at its end whatever is younger than itself.
        stopped = asyncio.create_task(self._stop.wait(), name="stop")
        kept = asyncio.create_task(elector.keep(), name="lease") if elector else None
        leave = asyncio.Event()
        working = asyncio.create_task(work.run(leave, self._take_signals), name="work")
        tasks = [one for one in (stopped, kept, working) if one is not None]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        asyncio.get_running_loop().call_later(LEAVE_SECONDS, _end_at_once)
        self._health.ready_problem = lambda: "is leaving"
        leave.set()
        await asyncio.wait([working])
        orderly = (self._stop.is_set() or work.signalled) and (kept is None or not kept.done())
        for task in (stopped, kept):
            if task is not None:
                task.cancel()
        if error := working.exception():
            raise error
        return 0 if orderly else 1

    async def _kinds_are_known(self, kube: Kube) -> None:
        """Wait until the API server knows the four kinds: kopf watches what it finds at its start."""
        place = next(iter(self._settings.watch_namespaces), None)
        while True:
            try:
                missing = [one.kind for one in RUNS.values() if not await kube.serves(one, place)]
                problem = (
                    f"the cluster does not know {', '.join(missing)}; install the CRDs" if missing else ""
                )
            except KubeError as error:
                problem = f"cannot read runs: {error}"
            if not problem:
                return
            self._health.ready_problem = partial(str, problem)
            _log.warning("%s", problem)
            await asyncio.sleep(LOOK_SECONDS)

    async def _unless_stopped(self, waiting: Coroutine[None, None, None]) -> bool:
        """Wait for something, or for the signal to stop; whether it was the former."""
        waiter = asyncio.create_task(waiting)
        stopped = asyncio.create_task(self._stop.wait())
        await asyncio.wait((waiter, stopped), return_when=asyncio.FIRST_COMPLETED)
        for task in (waiter, stopped):
            task.cancel()
        await asyncio.wait((waiter, stopped))
        if waiter.cancelled():
            return False
        waiter.result()
        return True

    def _elector(self, kube: Kube) -> Elector | None:
        election = self._settings.leader_election
        if election is None:
            return None
        return Elector(kube, election, namespace=self._settings.namespace, identity=self._identity)

    def _election_timeout(self) -> float:
        """Several tries fit before the deadline."""
        election = self._settings.leader_election or LeaderElection()
        return election.renew_deadline_seconds / 3

    def _take_signals(self) -> None:
        """Let SIGTERM and SIGINT mean: finish what is begun, give the lease back, end."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._asked_to_stop, number)

    def _asked_to_stop(self, number: signal.Signals) -> None:
        _log.info("%s: leaving", number.name)
        self._stop.set()


def _stuck(work: Work) -> str:
    """Why this replica does not get on, or nothing."""
    if (seconds := work.queue.longest_work()) > LONGEST_WORK:
        return f"one look at a run has taken {seconds:.0f} s"
    if (seconds := work.queue.longest_wait()) > LONGEST_WAIT:
        return f"a run has waited {seconds:.0f} s for a worker"
    return ""


def _end_at_once() -> None:
    _log.error("not everything has ended in %.0f s: leaving without it", LEAVE_SECONDS)
    os._exit(1)
