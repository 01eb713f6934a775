"""Node 0 of several machines: it decides, and tells the other machines' programs what to do."""

import threading
import time
from dataclasses import replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from pydantic import ValidationError

from trainjobs.core.decide.observed import JobState, PodState
from trainjobs.core.plan.neutral import Plan
from trainjobs.errors import Preempted, UsageError
from trainjobs.local.folder import RunFolder
from trainjobs.local.nodes import (
    LocalAttempt,
    LocalNode,
    Meeting,
    Node,
    Reporting,
    ended,
    free_port,
    new_job,
    new_pod,
)
from trainjobs.local.wire import SILENT_SECONDS, Assignment, LeaderAnswer, NodeReport, fingerprint

MAX_BODY = 256 * 1024


class RemoteNode:
    """A node on another machine, as its program reports it."""

    def __init__(self, pod: PodState, plan: Plan, meeting: Meeting) -> None:
        self._pod = replace(pod, phase="Pending", scheduled=False, started=None, node="")
        self._lock = threading.Lock()
        self._heard: float | None = None
        self.assignment = Assignment(
            run_uid=plan.run.metadata.uid,
            attempt=plan.attempt,
            halve_batch=plan.halve_batch,
            job_name=plan.job_name,
            job_uid=pod.job_uid,
            pod_uid=pod.uid,
            address=meeting.address,
            port=meeting.port,
        )

    def state(self, now: datetime) -> PodState:
        """What its program said last; lost when it has been silent for too long."""
        with self._lock:
            if self._heard is None:
                waiting = f"trainjobs run … --node-rank {self._pod.node_rank} on another machine"
                return replace(self._pod, scheduling_message=waiting)
            silent = time.monotonic() - self._heard
            if silent > SILENT_SECONDS and not self._pod.ended and self._pod.ready_lost is None:
                self._pod = replace(self._pod, ready_lost=now)
            return self._pod

    def stop(self, now: datetime) -> None:
        """Ask for its end in the next answer."""
        with self._lock:
            self.assignment = self.assignment.model_copy(update={"stop": True})
            if self._heard is None:
                # Nobody has taken this node up: there is nothing to end.
                self._pod = ended(self._pod, Preempted.exit_code, None, now)
            self._pod = replace(self._pod, deleted=self._pod.deleted or now)

    def kill(self) -> None:
        """As `stop`: the other machine's program ends its node, and itself when this one is gone."""
        self.stop(datetime.now(UTC))

    def hear(self, report: NodeReport) -> None:
        """Take in what its program says."""
        with self._lock:
            self._heard = time.monotonic()
            if report.pod_uid != self._pod.uid or self._pod.ended:
                return
            now = datetime.now(UTC)
            self._pod = replace(
                self._pod,
                phase="Running",
                scheduled=True,
                started=self._pod.started or now,
                node=report.host,
                ready_lost=None,
            )
            if report.exit_code is not None:
                self._pod = ended(self._pod, report.exit_code, report.record, now)


class Leader:
    """Listens at the master address; as a `NodeMaker`, starts node 0 here and the others elsewhere."""

    def __init__(self, address: str, port: int) -> None:
        self._address = address
        self._nodes: dict[int, RemoteNode] = {}
        self._fingerprint = ""
        self._finished: int | None = None
        self._told: set[int] = set()
        self._lock = threading.Lock()
        try:
            self._server = ThreadingHTTPServer((address, port), self._handler())
        except OSError as error:
            raise UsageError(
                f"--master {address}:{port}: cannot listen there ({error.strerror}); "
                "give an address of this machine and a free port"
            ) from None
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, name="leader", daemon=True).start()

    def __call__(self, plan: Plan, folder: RunFolder, reporting: Reporting, now: datetime) -> LocalAttempt:
        """Start node 0 here; the others start where their programs ask for work."""
        job = new_job(plan, now)
        meeting = Meeting(self._address, free_port(self._address))
        here = LocalNode(new_pod(job, 0, now), plan, folder.workspace(plan.attempt, 0), meeting, reporting)
        elsewhere = self._assign(plan, job, meeting, now)
        nodes: list[Node] = [here, *elsewhere]
        return LocalAttempt(job, nodes)

    def finish(self, exit_code: int, patience: float = 5.0) -> None:
        """Tell every follower the run's end, and close once they all know, or after `patience` seconds."""
        with self._lock:
            self._finished = exit_code
            followers = set(self._nodes)
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline and not followers <= self._told:
            time.sleep(0.1)
        self._server.shutdown()
        self._server.server_close()

    def _assign(self, plan: Plan, job: JobState, meeting: Meeting, now: datetime) -> list[RemoteNode]:
        ranks = range(1, plan.recipe.processes.nodes)
        nodes = {rank: RemoteNode(new_pod(job, rank, now), plan, meeting) for rank in ranks}
        with self._lock:
            self._fingerprint = fingerprint(plan.run)
            self._nodes = nodes
        return list(nodes.values())

    def answer(self, report: NodeReport) -> LeaderAnswer:
        """Take a follower's report in, and say what it is to do."""
        with self._lock:
            if self._finished is not None:
                self._told.add(report.node_rank)
                return LeaderAnswer(verdict="Finished", exit_code=self._finished)
            if not self._fingerprint:
                return LeaderAnswer(verdict="Wait")
            if report.fingerprint != self._fingerprint:
                return LeaderAnswer(
                    verdict="Refused",
                    message="the manifest here differs from node 0's; copy it, and give the same --set",
                )
            node = self._nodes.get(report.node_rank)
        if node is None:
            return LeaderAnswer(
                verdict="Refused",
                message=f"--node-rank {report.node_rank}: by spec.topology.nodes it goes from 1 "
                f"to {len(self._nodes)}; node 0 is here already",
            )
        node.hear(report)
        return LeaderAnswer(verdict="Work", assignment=node.assignment)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        leader = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = min(int(self.headers.get("Content-Length") or 0), MAX_BODY)
                try:
                    report = NodeReport.from_json(self.rfile.read(length))
                except ValidationError:
                    self.send_error(400, "not a report of this version of trainjobs")
                    return
                data = leader.answer(report).model_dump_json(by_alias=True, exclude_none=True).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Reports are not worth a log line each."""

        return Handler
