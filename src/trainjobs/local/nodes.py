"""The nodes of an attempt as processes: each is one agent, as in a pod."""

import os
import socket
import subprocess
import sys
import uuid
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

from pydantic import ValidationError

from trainjobs.agent import leash
from trainjobs.core.decide.observed import JobState, PodState, Termination
from trainjobs.core.plan.neutral import Plan
from trainjobs.core.reports import FinalRecord
from trainjobs.printing import ENCODING_OF_CHILDREN

KILL_AFTER_GRACE = timedelta(seconds=15)
"""The agent itself ends its children when the grace is over; this much later it is ended too."""
HEARTBEAT_SECONDS = 1.0
"""A progress bar wants to move more often than a cluster's status."""


@dataclass(frozen=True, slots=True)
class Meeting:
    """Where the nodes of an attempt find each other."""

    address: str
    port: int


@dataclass(frozen=True, slots=True)
class Reporting:
    """Where agents report to, and the token that lets them."""

    url: str
    token_file: Path


class Node(Protocol):
    """One node of an attempt, here or on another machine."""

    def state(self, now: datetime) -> PodState:
        """What is known of it."""

    def stop(self, now: datetime) -> None:
        """Ask it to save and end."""

    def kill(self) -> None:
        """End it at once."""


class LocalNode:
    """An agent as a child process, with a workspace of its own."""

    def __init__(
        self, pod: PodState, plan: Plan, workspace: Path, meeting: Meeting, reporting: Reporting
    ) -> None:
        self._pod = pod
        self._grace = timedelta(seconds=plan.recipe.limits.grace_seconds) + KILL_AFTER_GRACE
        self._record = workspace / "termination.json"
        workspace.mkdir(parents=True, exist_ok=True)
        self._record.unlink(missing_ok=True)
        recipe = workspace / "recipe.json"
        recipe.write_text(plan.recipe.model_dump_json(by_alias=True, exclude_none=True), encoding="utf-8")
        command = agent_command(pod, recipe, workspace, meeting, reporting, self._record)
        with (workspace / "agent.log").open("ab") as log:
            self._process = subprocess.Popen(
                command,
                # As in a pod, where the agent fetches under them: a mirror, a proxy, a cache.
                env={
                    **os.environ,
                    **ENCODING_OF_CHILDREN,
                    **{one.name: one.value for one in plan.recipe.env},
                },
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # A session of its own: Ctrl-C in the terminal reaches this program alone, which
                # then decides what becomes of its agents.
                start_new_session=True,
            )

    def state(self, now: datetime) -> PodState:
        """What is known of the process; ends it when its grace is over."""
        code = self._process.poll()
        if code is None:
            if self._pod.deleted is not None and now - self._pod.deleted > self._grace:
                self.kill()
            return self._pod
        if self._pod.termination is None:
            exit_code = code if code >= 0 else 128 - code
            self._pod = ended(self._pod, exit_code, read_record(self._record), now)
        return self._pod

    def stop(self, now: datetime) -> None:
        """Send SIGTERM once."""
        if self._process.poll() is None and self._pod.deleted is None:
            self._pod = replace(self._pod, deleted=now)
            self._process.terminate()

    def kill(self) -> None:
        """Send SIGKILL; the agent's children die with it."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()


class LocalAttempt:
    """The job of one attempt and its nodes."""

    def __init__(self, job: JobState, nodes: Sequence[Node]) -> None:
        self.job = job
        self.nodes = tuple(nodes)

    def pods(self, now: datetime) -> tuple[PodState, ...]:
        """What is known of the nodes; the job is judged from them, as training-operator does."""
        pods = tuple(node.state(now) for node in self.nodes)
        self.job = replace(
            self.job,
            succeeded=all(pod.phase == "Succeeded" for pod in pods),
            failed=any(pod.phase == "Failed" for pod in pods),
        )
        return pods

    def stop(self, now: datetime) -> None:
        """Delete the job: every node is asked to end."""
        self.job = replace(self.job, deleted=self.job.deleted or now)
        for node in self.nodes:
            node.stop(now)

    def kill(self) -> None:
        """End every node at once."""
        for node in self.nodes:
            node.kill()

    def gone(self, now: datetime) -> bool:
        """Whether the job was deleted and none of its nodes runs any more."""
        return self.job.deleted is not None and all(node.state(now).ended for node in self.nodes)


def new_job(plan: Plan, now: datetime) -> JobState:
    """The job of a plan, with a fresh UID."""
    return JobState(
        name=plan.job_name,
        uid=str(uuid.uuid4()),
        owner_uid=plan.run.metadata.uid,
        attempt=plan.attempt,
        created=now,
    )


def new_pod(job: JobState, node_rank: int, now: datetime) -> PodState:
    """The pod of one node of a job, with a fresh UID."""
    return PodState(
        name=f"{job.name}-worker-{node_rank}",
        uid=str(uuid.uuid4()),
        attempt=job.attempt,
        job_uid=job.uid,
        node_rank=node_rank,
        phase="Running",
        created=now,
        node=socket.gethostname(),
        scheduled=True,
        started=now,
    )


def ended(pod: PodState, exit_code: int, record: FinalRecord | None, now: datetime) -> PodState:
    """`pod` after its agent has ended."""
    succeeded = exit_code == 0
    return replace(
        pod,
        phase="Succeeded" if succeeded else "Failed",
        termination=Termination(exit_code, "Completed" if succeeded else "Error", now, record),
    )


def agent_command(
    pod: PodState, recipe: Path, workspace: Path, meeting: Meeting, reporting: Reporting, record: Path
) -> list[str]:
    """The command line of one node's agent."""
    options = {
        "--recipe": recipe,
        "--attempt": pod.attempt,
        "--node-rank": pod.node_rank,
        "--job-uid": pod.job_uid,
        "--pod-uid": pod.uid,
        "--master-address": meeting.address,
        "--master-port": meeting.port,
        "--workspace": workspace,
        # Beside the attempts: what one has fetched, the next need not.
        "--cache": workspace.parent.with_name("cache") / workspace.name,
        "--status-url": reporting.url,
        "--status-token": reporting.token_file,
        "--heartbeat-seconds": HEARTBEAT_SECONDS,
        "--termination-log": record,
    }
    return [
        *on_leash(),
        sys.executable,
        # A file beside the manifest that is called like a library is not that library.
        "-P",
        "-m",
        "trainjobs.agent",
        *(str(part) for option in options.items() for part in option),
    ]


def on_leash() -> list[str]:
    """What a command is put behind, so that it dies with this program whatever kills it."""
    return [sys.executable, "-I", "-S", leash.__file__, str(os.getpid())]


def free_port(address: str) -> int:
    """A TCP port that nobody listens on at `address`, nor on the one after it, where agents meet."""
    while True:
        with socket.socket() as probe, socket.socket() as next_to_it:
            probe.bind((address, 0))
            port = int(probe.getsockname()[1])
            with suppress(OSError, OverflowError):
                next_to_it.bind((address, port + 1))
                return port


def read_record(file: Path) -> FinalRecord | None:
    """The final record that an agent left, or None."""
    try:
        return FinalRecord.from_json(file.read_text(encoding="utf-8"))
    except (OSError, ValidationError):
        return None
