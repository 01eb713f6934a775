"""The current attempt of a run, picked out of everything observed."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from trainjobs.api.conditions import ConditionType
from trainjobs.api.status import RunStatus
from trainjobs.core.decide import conditions
from trainjobs.core.decide.observed import JobState, Observed, PodState
from trainjobs.core.reports import FinalRecord, Heartbeat

UID_LENGTH: Final = 8
"""How much of a pod's UID the status remembers: enough to tell a pod from the one that replaced it."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt as it stands: number 0 before the first."""

    number: int
    nodes: int
    """How many nodes it has when it is whole."""
    job: JobState | None
    job_uid: str
    """Of the job that is there, or that the status remembers; empty when there never was one."""
    pods: tuple[PodState, ...]
    """Its pods, by node rank."""
    heartbeats: tuple[Heartbeat, ...]
    """Of this attempt only: what a replaced one still says does not count."""
    started_pods: tuple[str, ...]
    """By node, the pods that the status remembers to have started."""
    scheduled_since: datetime | None
    """When all its nodes had a machine, as the status remembers."""

    @property
    def exists(self) -> bool:
        """Whether anything of it was ever seen; False for one that was decided and perhaps not created."""
        return bool(self.job_uid or self.pods)

    @property
    def started(self) -> bool:
        """Whether any of its pods has ever started."""
        return any(self.started_pods) or any(has_started(pod) for pod in self.pods)

    def on(self, rank: int) -> tuple[PodState, ...]:
        """The pods of one node: several while one replaces another."""
        return tuple(pod for pod in self.pods if pod.node_rank == rank)

    def remembered(self, rank: int) -> str:
        """What the status remembers of the pod that started on that node; empty for none."""
        return self.started_pods[rank] if rank < len(self.started_pods) else ""

    def heartbeat(self, rank: int) -> Heartbeat | None:
        """What that node's agent said last."""
        own = [heartbeat for heartbeat in self.heartbeats if heartbeat.node_rank == rank]
        return max(own, key=lambda heartbeat: heartbeat.time, default=None)


def current_attempt(observed: Observed) -> Attempt:
    """The newest attempt that the status, a job or a pod of the run knows of.

    A status that is older than the children (from a backup, or a write that was lost) takes them over.
    """
    status = observed.run.status
    jobs, pods = own_jobs(observed), own_pods(observed)
    number = max(status.attempt, *(job.attempt for job in jobs), *(pod.attempt for pod in pods), 0)
    known = status.attempt == number
    job = next((job for job in jobs if job.attempt == number), None)
    remembered = status.job.uid if known and status.job else ""
    job_uid = job.uid if job else remembered
    scheduled = conditions.find(status, ConditionType.SCHEDULED)
    since = scheduled.last_transition_time if known and scheduled and scheduled.status == "True" else None
    return Attempt(
        number=number,
        nodes=observed.run.spec.topology.nodes,
        job=job,
        job_uid=job_uid,
        pods=tuple(
            sorted(
                (pod for pod in pods if pod.attempt == number and job_uid in ("", pod.job_uid)),
                key=lambda pod: (pod.node_rank, pod.created),
            )
        ),
        heartbeats=tuple(
            heartbeat
            for heartbeat in observed.heartbeats
            if heartbeat.run_uid == observed.run.metadata.uid and heartbeat.attempt == number
        ),
        started_pods=tuple(status.started_pods) if known else (),
        scheduled_since=since,
    )


def next_number(observed: Observed, attempt: Attempt) -> int:
    """The number of the attempt to start: never one that anybody may have used.

    An attempt that the status decided and that nobody has seen keeps its number: creating its job
    again, where that was done after all, finds the same name.
    """
    used = max(
        observed.stored_attempt,
        *(job.attempt for job in observed.jobs),
        *(pod.attempt for pod in observed.pods),
        *(record.newest_attempt for pod in own_pods(observed) if (record := final_record(pod))),
        0,
    )
    if attempt.number > max(used, ended_number(observed.run.status)) and not attempt.exists:
        return attempt.number
    return max(used, attempt.number) + 1


def ended_number(status: RunStatus) -> int:
    """The newest attempt that has ended; 0 for none."""
    return status.ended.attempt if status.ended else 0


def is_live(attempt: Attempt, status: RunStatus) -> bool:
    """Whether the attempt is under way: it exists, and nothing has ended it."""
    return attempt.exists and attempt.number > ended_number(status)


def own_jobs(observed: Observed) -> tuple[JobState, ...]:
    """The jobs that this very run controls: another's of the same name is never touched."""
    return tuple(job for job in observed.jobs if job.owner_uid == observed.run.metadata.uid)


def own_pods(observed: Observed) -> tuple[PodState, ...]:
    """The pods but those of another run's job."""
    foreign = {job.uid for job in observed.jobs if job.owner_uid != observed.run.metadata.uid}
    return tuple(pod for pod in observed.pods if pod.job_uid not in foreign)


def has_machine(pod: PodState) -> bool:
    """Whether the pod was given a machine."""
    return pod.scheduled or has_started(pod)


def has_started(pod: PodState) -> bool:
    """Whether its container has ever run."""
    return pod.started is not None or pod.phase == "Running" or pod.ended


def has_succeeded(pod: PodState) -> bool:
    """Whether it ended well."""
    return pod.phase == "Succeeded" or (pod.termination is not None and pod.termination.exit_code == 0)


def has_failed(pod: PodState) -> bool:
    """Whether it ended, and not well."""
    return pod.ended and not has_succeeded(pod)


def final_record(pod: PodState) -> FinalRecord | None:
    """What its agent wrote at the end, where it speaks of this attempt and node."""
    record = pod.termination.record if pod.termination else None
    if record is None or (record.attempt, record.node_rank) != (pod.attempt, pod.node_rank):
        return None
    return record
