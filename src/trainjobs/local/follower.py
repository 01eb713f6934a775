"""Node 1, 2, … of several machines: it does what node 0's program decides, with its own files."""

import http.client
import socket
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.error import URLError
from urllib.request import Request, urlopen

from pydantic import ValidationError

from trainjobs.api.runs import Run
from trainjobs.core.decide.decision import StartAttempt
from trainjobs.core.decide.observed import PodState
from trainjobs.core.plan.neutral import make_plan
from trainjobs.core.reports import Directive, Heartbeat, Wait
from trainjobs.errors import InvalidRecipe, RendezvousFailed, StorageUnavailable
from trainjobs.local.driver import Watcher
from trainjobs.local.folder import RunFolder
from trainjobs.local.nodes import LocalNode, Meeting, Reporting
from trainjobs.local.session import Options, settings_for
from trainjobs.local.status_server import StatusServer
from trainjobs.local.wire import (
    BEAT_SECONDS,
    SILENT_SECONDS,
    Assignment,
    LeaderAnswer,
    NodeReport,
    fingerprint,
)

JOIN_SECONDS = 600.0
"""How long to wait for node 0 to appear."""


@dataclass(slots=True)
class _Work:
    """The node that this machine has in hand."""

    assignment: Assignment
    node: LocalNode

    def state(self) -> PodState:
        return self.node.state(datetime.now(UTC))


class Follower:
    """Drives one node of one run until node 0 says that the run is over."""

    def __init__(
        self, run: Run, options: Options, watcher: Watcher, *, node_rank: int, master: Meeting
    ) -> None:
        self._run = run
        self._options = options
        self._watcher = watcher
        self._rank = node_rank
        self._url = f"http://{master.address}:{master.port}/node"
        self._where = f"{master.address}:{master.port}"
        self._folder = RunFolder.of(options.root, run.kind, run.metadata.name)
        self._fingerprint = fingerprint(run)
        self._work: _Work | None = None
        self._stopping = threading.Event()

    def stop(self) -> None:
        """End the node here; node 0 sees it end and decides. Safe in a signal handler."""
        self._stopping.set()

    def follow(self) -> int:
        """Work until the run is over; returns its exit code.

        Raises:
            RendezvousFailed: node 0 did not appear, or has gone.
            InvalidRecipe: the manifest here is not node 0's.
            StorageUnavailable: the storage of the run cannot be seen from here.
        """
        code = self._until_the_end()
        if code == 0:
            self._folder.put_away(keep_report=False)
        return code

    def _until_the_end(self) -> int:
        heard, since = time.monotonic(), datetime.now(UTC)
        joined = False
        with StatusServer(_go_on) as server:
            reporting = self._reporting(server)
            try:
                while not self._stopping.is_set():
                    answer = self._say(server)
                    if answer is None or answer.assignment is None:
                        self._watcher.waits(Wait(what=f"node 0 at {self._where}", since=since))
                    if answer is None:
                        patience = SILENT_SECONDS if joined else JOIN_SECONDS
                        if time.monotonic() - heard > patience:
                            raise RendezvousFailed(
                                f"--master {self._where}: node 0 does not answer; "
                                "start it there with --node-rank 0"
                            )
                    else:
                        heard, joined = time.monotonic(), True
                        if answer.verdict == "Refused":
                            raise InvalidRecipe(f"--master {self._where}: {answer.message}")
                        if answer.verdict == "Finished":
                            return answer.exit_code
                        self._obey(answer.assignment, reporting)
                    time.sleep(BEAT_SECONDS)
                return 130
            finally:
                self._end()

    def _reporting(self, server: StatusServer) -> Reporting:
        token = self._folder.path / f"status-token-{self._rank}"
        token.parent.mkdir(parents=True, exist_ok=True)
        token.touch(mode=0o600)
        token.write_text(server.token, encoding="utf-8")
        return Reporting(server.url, token)

    def _say(self, server: StatusServer) -> LeaderAnswer | None:
        report = NodeReport(fingerprint=self._fingerprint, node_rank=self._rank, host=socket.gethostname())
        if self._work is not None:
            state = self._work.state()
            ended = state.termination
            beats = [beat for beat in server.heartbeats() if beat.attempt == state.attempt]
            report = report.model_copy(
                update={
                    "pod_uid": state.uid,
                    "exit_code": ended.exit_code if ended else None,
                    "record": ended.record if ended else None,
                    "heartbeat": beats[-1] if beats else None,
                }
            )
        body = report.model_dump_json(by_alias=True, exclude_none=True).encode()
        request = Request(self._url, data=body, headers={"Content-Type": "application/json"})  # noqa: S310
        try:
            with urlopen(request, timeout=5) as response:  # noqa: S310
                return LeaderAnswer.from_json(response.read())
        except (URLError, OSError, http.client.HTTPException, ValidationError):
            return None

    def _obey(self, assignment: Assignment | None, reporting: Reporting) -> None:
        if assignment is None:
            return
        work = self._work
        if work is not None and work.assignment.pod_uid == assignment.pod_uid:
            if assignment.stop:
                work.node.stop(datetime.now(UTC))
            return
        if assignment.stop or (work is not None and not work.state().ended):
            return
        self._start(assignment, reporting)

    def _start(self, assignment: Assignment, reporting: Reporting) -> None:
        metadata = self._run.metadata.model_copy(update={"uid": assignment.run_uid})
        run = self._run.model_copy(update={"metadata": metadata})
        self._require_shared_storage(assignment)
        start = StartAttempt(assignment.attempt, halve_batch=assignment.halve_batch, queued=False)
        plan = make_plan(run, start, settings_for(run, self._folder, self._options))
        now = datetime.now(UTC)
        pod = PodState(
            name=f"{assignment.job_name}-worker-{self._rank}",
            uid=assignment.pod_uid,
            attempt=assignment.attempt,
            job_uid=assignment.job_uid,
            node_rank=self._rank,
            phase="Running",
            created=now,
            started=now,
            scheduled=True,
        )
        workspace = self._folder.workspace(assignment.attempt, self._rank)
        meeting = Meeting(assignment.address, assignment.port)
        self._work = _Work(assignment, LocalNode(pod, plan, workspace, meeting, reporting))
        self._watcher.started(run, plan)

    def _require_shared_storage(self, assignment: Assignment) -> None:
        if self._run.spec.checkpoints.storage.uri is not None:
            return
        there = self._folder.load()
        if there is None or there.metadata.uid != assignment.run_uid:
            raise StorageUnavailable(
                f"{self._folder.path}: is not node 0's folder of this run, so its checkpoints cannot be "
                "seen here; set spec.checkpoints.storage.uri to s3:// or to a folder that both machines mount"
            )

    def _end(self) -> None:
        if self._work is None:
            return
        self._work.node.stop(datetime.now(UTC))
        while not self._work.state().ended:
            time.sleep(0.1)


def _go_on(_heartbeat: Heartbeat) -> Directive:
    return "Continue"
