"""The control loop of one run on this machine: observe, decide, carry out."""

import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Protocol

from trainjobs.api.conditions import ConditionType, Phase
from trainjobs.api.runs import Run
from trainjobs.api.status import RunStatus
from trainjobs.core.decide import decide
from trainjobs.core.decide.decision import Decision, Event, StartAttempt
from trainjobs.core.decide.observed import DependencyState, Observed, PodState
from trainjobs.core.plan.neutral import Plan, make_plan
from trainjobs.core.recipe.storage import to_pin
from trainjobs.core.reports import Directive, Heartbeat, Wait
from trainjobs.core.settings import Settings
from trainjobs.local.folder import RunFolder
from trainjobs.local.nodes import (
    LocalAttempt,
    LocalNode,
    Meeting,
    Reporting,
    free_port,
    new_job,
    new_pod,
)
from trainjobs.local.status_server import StatusServer

TICK = 0.2
"""Seconds between two looks when nothing wakes the loop."""


class Watcher(Protocol):
    """Who is told how a run goes on: a progress bar, or a log."""

    def started(self, run: Run, plan: Plan) -> None:
        """An attempt was started."""

    def beat(self, heartbeat: Heartbeat) -> None:
        """Node 0 said how far it is."""

    def waits(self, wait: Wait) -> None:
        """Something is waited for; said again while it lasts."""

    def event(self, event: Event) -> None:
        """Something happened that belongs to the run's story."""


class Driver:
    """Drives one run to its end, or to its suspension."""

    def __init__(
        self,
        run: Run,
        folder: RunFolder,
        settings: Settings,
        watcher: Watcher,
        *,
        dependencies: Callable[[], tuple[DependencyState, ...]],
        stored_attempt: int,
        make_nodes: "NodeMaker | None" = None,
    ) -> None:
        self._run = run
        self._folder = folder
        self._settings = settings
        self._watcher = watcher
        self._dependencies = dependencies
        self._stored_attempt = stored_attempt
        self._make_nodes: NodeMaker = make_nodes or AllNodesHere()
        self._attempts: list[LocalAttempt] = []
        self._wake = threading.Event()

    def suspend(self) -> None:
        """Save and stop; `drive` returns when every node has. Safe in a signal handler."""
        policy = self._run.spec.run_policy.model_copy(update={"suspend": True})
        spec = self._run.spec.model_copy(update={"run_policy": policy})
        self._run = self._run.model_copy(update={"spec": spec})
        self._wake.set()

    def kill(self) -> None:
        """End every node at once; only what was saved before is kept."""
        for attempt in self._attempts:
            attempt.kill()

    def drive(self) -> Run:
        """Run the loop until the run is finished or suspended; returns the run with its last status."""
        with StatusServer(self._answer) as server:
            token = self._folder.path / "status-token"
            token.touch(mode=0o600)
            token.write_text(server.token, encoding="utf-8")
            reporting = Reporting(server.url, token)
            try:
                while not self._tick(server, reporting):
                    self._wake.wait(TICK)
                    self._wake.clear()
            finally:
                self.kill()
                token.unlink(missing_ok=True)
        return self._run

    def _tick(self, server: StatusServer, reporting: Reporting) -> bool:
        """Look once; whether there is nothing left to do."""
        now = datetime.now(UTC)
        pods = tuple(pod for attempt in self._attempts for pod in attempt.pods(now))
        observed = Observed(
            run=self._run,
            jobs=tuple(attempt.job for attempt in self._attempts),
            pods=pods,
            heartbeats=server.heartbeats(),
            dependencies=self._dependencies(),
            storage=to_pin(self._run, self._settings),
            stored_attempt=self._stored_attempt,
        )
        decision = decide(observed, now)
        self._record(decision)
        self._carry_out(decision, reporting, now)
        self._attempts = [attempt for attempt in self._attempts if not attempt.gone(now)]
        self._show(server, pods)
        if decision.requeue_after == timedelta():
            self._wake.set()
        return self._settled(now)

    def _record(self, decision: Decision) -> None:
        if decision.status != self._run.status:
            self._run = self._run.model_copy(update={"status": decision.status})
            self._folder.save_status(decision.status)
        ended = decision.status.failure if _finished(decision.status) else None
        for event in decision.events:
            self._folder.log_event(
                f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {event.type} {event.reason} {event.message}"
            )
            # How it ended is told with the result.
            if ended is None or event.message != ended.message:
                self._watcher.event(event)

    def _carry_out(self, decision: Decision, reporting: Reporting, now: datetime) -> None:
        for stop in decision.stop:
            for attempt in self._attempts:
                if attempt.job.uid == stop.job_uid:
                    attempt.stop(now)
        if decision.start is not None:
            self._start(decision.start, reporting, now)

    def _start(self, start: StartAttempt, reporting: Reporting, now: datetime) -> None:
        plan = make_plan(self._run, start, self._settings)
        self._folder.drop_workspaces(keep_attempt=start.attempt - 1)
        self._folder.link_log(start.attempt, own_script=bool(plan.recipe.command))
        nodes = self._make_nodes(plan, self._folder, reporting, now)
        self._attempts.append(nodes)
        self._watcher.started(self._run, plan)

    def _answer(self, heartbeat: Heartbeat) -> Directive:
        self._wake.set()
        current = self._run.status.attempt
        return "Stop" if heartbeat.attempt < current else "Continue"

    def _show(self, server: StatusServer, pods: Sequence[PodState]) -> None:
        missing = next((pod for pod in pods if pod.scheduling_message and not pod.scheduled), None)
        if missing is not None:
            self._watcher.waits(Wait(what=missing.scheduling_message, since=missing.created))
        for heartbeat in server.heartbeats():
            if heartbeat.node_rank == 0 and heartbeat.attempt == self._run.status.attempt:
                self._watcher.beat(heartbeat)
                if missing is None and heartbeat.wait is not None:
                    self._watcher.waits(heartbeat.wait)

    def _settled(self, now: datetime) -> bool:
        if not all(pod.ended for attempt in self._attempts for pod in attempt.pods(now)):
            return False
        status = self._run.status
        return _finished(status) or (self._run.spec.run_policy.suspend and status.phase == Phase.SUSPENDED)


def _finished(status: RunStatus) -> bool:
    return any(c.type == ConditionType.FINISHED and c.status == "True" for c in status.conditions)


class NodeMaker(Protocol):
    """Starts the nodes of an attempt."""

    def __call__(self, plan: Plan, folder: RunFolder, reporting: Reporting, now: datetime) -> LocalAttempt:
        """Start them."""


class AllNodesHere:
    """Every node of an attempt is an agent on this machine; they meet on loopback."""

    address = "127.0.0.1"

    def __call__(self, plan: Plan, folder: RunFolder, reporting: Reporting, now: datetime) -> LocalAttempt:
        """Start one agent per node."""
        job = new_job(plan, now)
        meeting = Meeting(self.address, free_port(self.address))
        nodes = [
            LocalNode(new_pod(job, rank, now), plan, folder.workspace(plan.attempt, rank), meeting, reporting)
            for rank in range(plan.recipe.processes.nodes)
        ]
        return LocalAttempt(job, nodes)
