"""A small cluster in which runs live: jobs, pods, machines, agents and storage, without a clock of its own.

It behaves as training-operator, the kubelet, the node controller and the agents do, and notes what
must never happen.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from tests.unit.core.decide.building import START, UID, checkpoints, outcome, with_policy, with_status
from trainjobs.api.runs import Run
from trainjobs.api.status import Condition, JobReference, Progress, RunStatus, StorageStatus
from trainjobs.core.decide.decision import Decision, StopAttempt
from trainjobs.core.decide.observed import DependencyState, JobState, Observed, PodState, Termination
from trainjobs.core.decide.order import ORDER, Part
from trainjobs.core.reports import FinalRecord, Heartbeat, Stage

NODE_GRACE = timedelta(minutes=2)
STUCK_GRACE = timedelta(minutes=10)
STEPS = 100


class World:
    """Everything there is of one run."""

    def __init__(self, run: Run, *, sidecars: bool = False) -> None:
        self.now = START
        self.run = run
        self.sidecars = sidecars
        """Whether something in every pod outlives its agent."""
        self.version = 1
        self.jobs: dict[str, JobState] = {}
        self.pods: dict[str, PodState] = {}
        self.heartbeats: dict[tuple[int, int], Heartbeat] = {}
        self.lost_machines: set[str] = set()
        self.alive: set[str] = set()
        """UIDs of pods whose agents really run, whatever the API server believes."""
        self.unseen: dict[str, PodState] = {}
        """Pods that ended on a lost machine, as its kubelet tells when the machine is back."""
        self.claims: dict[int, str] = {}
        """attempt → UID of the pod that claimed it."""
        self.step = 0
        """Of the newest complete checkpoint."""
        self.writers: list[int] = []
        """Attempts whose writes counted, in order."""
        self.created: list[int] = []
        self.backups: list[RunStatus] = []
        self.dependency: RunStatus | None = None
        self.dependency_deleted = False
        self.storage_away = False
        """Whether agents that have not claimed yet find nobody to ask."""
        self.held_up = ""
        """Why the kubelets start no container, in their own word."""
        self.no_room: set[int] = set()
        """Nodes for which no machine has room."""
        self.met: set[str] = set()
        """UIDs of jobs whose nodes have all been there at once: none trains before."""
        self.storage = StorageStatus(uri="s3://runs/scores")
        """Where the platform would store a run that starts now."""
        self.serial = 0

    # what the controller sees and does

    def observe(self) -> Observed:
        reference = self.run.spec.base_model.from_run
        dependencies = ()
        if reference is not None:
            dependencies = (
                DependencyState(
                    reference.kind,
                    reference.name,
                    reference.checkpoint,
                    deleted=self.dependency_deleted,
                    status=self.dependency,
                ),
            )
        return Observed(
            run=self.run,
            jobs=tuple(self.jobs.values()),
            pods=tuple(self.pods.values()),
            heartbeats=tuple(self.heartbeats.values()),
            dependencies=dependencies,
            storage=self.storage,
            # As the operator's: an attempt that has spoken is known, whatever the status says.
            stored_attempt=max((*self.claims, *(attempt for attempt, _ in self.heartbeats)), default=0),
        )

    def carry_out(self, decision: Decision, *, failing: Part | None) -> None:
        """As the operator does, in its order, until a part fails."""
        status = decision.status
        for part in ORDER:
            if part is failing:
                return
            match part:
                case Part.START if decision.start is not None:
                    self.create(decision)
                    name, uid = self.job_name(decision.start.attempt)
                    status = status.model_copy(update={"job": JobReference(name=name, uid=uid)})
                case Part.STATUS:
                    self.write_status(status)
                case Part.STOP:
                    for stop in decision.stop:
                        self.check_stop(stop)
                        self.delete_job(stop.job_uid)

    def check_stop(self, stop: StopAttempt) -> None:
        """Nothing is stopped of which the written status does not say how it ended."""
        ended = self.run.status.ended
        assert is_finished(self.run.status) or (ended is not None and stop.attempt <= ended.attempt), stop

    def write_status(self, status: RunStatus) -> None:
        if status != self.run.status:
            self.backups.append(self.run.status)
            self.run = with_status(self.run, status)
            self.version += 1

    def create(self, decision: Decision) -> None:
        """Make the job, unless it is there."""
        assert decision.start is not None
        attempt = decision.start.attempt
        name = f"scores-{attempt}"
        if name not in self.jobs:
            self.check_start(attempt)
            self.serial += 1
            self.jobs[name] = JobState(
                name, f"job{self.serial}", UID, attempt, self.now, suspended=decision.start.queued
            )
            self.created.append(attempt)

    def check_start(self, attempt: int) -> None:
        assert attempt > max(self.claims, default=0), "a number was started that an attempt had claimed"
        for pod in self.pods.values():
            assert pod.over or self.is_lost(pod), f"{pod} still runs when attempt {attempt} starts"

    def is_lost(self, pod: PodState) -> bool:
        heard = self.heartbeats.get((pod.attempt, pod.node_rank))
        silent = [heard.time] if heard else []
        if pod.ready_lost is not None and max([pod.ready_lost, *silent]) + NODE_GRACE <= self.now:
            return True
        return pod.deleted is not None and max([pod.deleted, *silent]) + STUCK_GRACE <= self.now

    def job_name(self, attempt: int) -> tuple[str, str]:
        found = self.jobs[f"scores-{attempt}"]
        return found.name, found.uid

    def delete_job(self, uid: str) -> None:
        for name, job in list(self.jobs.items()):
            if job.uid == uid:
                del self.jobs[name]
        for pod in list(self.pods.values()):
            if pod.job_uid == uid:
                self.delete_pod(pod.uid)

    def delete_pod(self, uid: str) -> None:
        pod = self.pods[uid]
        if pod.over or not pod.node:
            self.drop(uid)
        else:
            self.pods[uid] = replace(pod, deleted=pod.deleted or self.now)

    def drop(self, uid: str) -> None:
        self.pods.pop(uid, None)
        self.alive.discard(uid)

    # what the cluster does by itself

    def run_jobs(self) -> None:
        """training-operator: makes missing pods, judges jobs by their pods, empties suspended ones."""
        for name, job in list(self.jobs.items()):
            pods = [pod for pod in self.pods.values() if pod.job_uid == job.uid]
            if job.suspended:
                for pod in pods:
                    self.delete_pod(pod.uid)
            elif any(pod.phase == "Failed" for pod in pods):
                self.jobs[name] = replace(job, failed=True)
                for pod in pods:
                    if not pod.over:
                        self.delete_pod(pod.uid)
            elif len(pods) == self.run.spec.topology.nodes and all(p.phase == "Succeeded" for p in pods):
                self.jobs[name] = replace(job, succeeded=True)
            elif not (job.failed or job.succeeded):
                there = {pod.node_rank for pod in pods}
                for rank in set(range(self.run.spec.topology.nodes)) - there:
                    self.serial += 1
                    uid = f"pod{self.serial:05}"
                    self.pods[uid] = PodState(
                        uid, uid, job.attempt, job.uid, rank, "Pending", created=self.now
                    )

    def run_kubelets(self) -> None:
        """Pods get machines, start, and end when they are told to."""
        for uid, pod in list(self.pods.items()):
            if pod.node in self.lost_machines and pod.node:
                continue
            if pod.deleted is not None:
                if not pod.ended and pod.started:
                    self.fail(uid, 143, "Preempted")
                self.drop(uid)
            elif not pod.node and pod.node_rank in self.no_room:
                self.pods[uid] = replace(pod, scheduling_message="0/9 nodes are available")
            elif not pod.node:
                self.serial += 1
                self.pods[uid] = replace(pod, node=f"m{self.serial}", scheduled=True)
            elif pod.phase == "Pending" and self.held_up:
                self.pods[uid] = replace(pod, waiting_reason=self.held_up)
            elif pod.phase == "Pending":
                self.pods[uid] = replace(pod, phase="Running", started=self.now, waiting_reason="")
                self.alive.add(uid)

    def run_agents(self) -> None:
        """Every living agent claims, reports, and writes as far as it may, lost machines included."""
        for uid in sorted(self.alive):
            pod = self.pods[uid]
            if self.storage_away and pod.attempt not in self.claims:
                self.fail(uid, 30, "StorageUnavailable", "Starting")
                continue
            if pod.node_rank == 0 and not self.claim(pod):
                self.fail(uid, 34, "Fenced")
                continue
            if self.is_left_alone(pod):
                self.fail(uid, 31, "RendezvousFailed", "Launching")
                continue
            if pod.node not in self.lost_machines:
                self.report(pod)
        self.save()

    def is_left_alone(self, pod: PodState) -> bool:
        """Whether a node of its job has ended well: all end together, but for one that began after that."""
        peers = [other for other in self.pods.values() if other.job_uid == pod.job_uid]
        return any(other.phase == "Succeeded" for other in peers)

    def claim(self, pod: PodState) -> bool:
        newest = max(self.claims, default=0)
        if pod.attempt > newest:
            self.claims[pod.attempt] = pod.uid
            return True
        return pod.attempt == newest and self.claims[newest] == pod.uid

    def report(self, pod: PodState) -> None:
        met = self.has_met(pod)
        self.heartbeats[pod.attempt, pod.node_rank] = Heartbeat(
            run_uid=UID,
            attempt=pod.attempt,
            node_rank=pod.node_rank,
            stage="Training" if met else "Launching",
            time=self.now,
            progress=Progress(step=self.step + 1, total_steps=STEPS, percent=self.step, updated_time=self.now)
            if met
            else None,
            checkpoints=checkpoints(self.step) if self.step else {},  # type: ignore[arg-type]
        )

    def has_met(self, pod: PodState) -> bool:
        """Whether all nodes of a pod's attempt have been there at once."""
        there = {self.pods[uid].node_rank for uid in self.alive if self.pods[uid].job_uid == pod.job_uid}
        if len(there) == self.run.spec.topology.nodes:
            self.met.add(pod.job_uid)
        return pod.job_uid in self.met

    def save(self) -> None:
        """Node 0 of every attempt that still lives writes a checkpoint; the newest claim's counts."""
        for uid in sorted(self.alive):
            pod = self.pods[uid]
            if pod.node_rank == 0 and self.claim(pod) and self.has_met(pod):
                self.writers.append(pod.attempt)
                self.step = min(self.step + 1, STEPS)

    def finish(self, attempt: int) -> None:
        """The agents of an attempt end well, node 0 last."""
        pods = [pod for pod in self.pods.values() if pod.attempt == attempt and pod.uid in self.alive]
        leaders = [pod for pod in pods if pod.node_rank == 0 and self.claim(pod)]
        if len(pods) < self.run.spec.topology.nodes or not leaders:
            return
        for pod in pods:
            self.end(pod.uid, 0, "Succeeded", with_outcome=pod.node_rank == 0)

    def end(
        self, uid: str, exit_code: int, reason: str, *, with_outcome: bool = False, stage: Stage = "Training"
    ) -> None:
        pod = self.pods[uid]
        self.alive.discard(uid)
        record = FinalRecord(
            attempt=pod.attempt,
            node_rank=pod.node_rank,
            exit_code=exit_code,
            reason=reason,
            message=reason,
            stage=stage,
            outcome=outcome() if with_outcome else None,
        )
        told = self.unseen if pod.node in self.lost_machines else self.pods
        told[uid] = replace(
            pod,
            phase="Running" if self.sidecars else "Failed" if exit_code else "Succeeded",
            termination=Termination(exit_code, "Error" if exit_code else "Completed", self.now, record),
        )

    def fail(self, uid: str, exit_code: int, reason: str, stage: Stage = "Training") -> None:
        self.end(uid, exit_code, reason, stage=stage)

    # faults

    def lose_machine(self, uid: str) -> None:
        pod = self.pods[uid]
        self.lost_machines.add(pod.node)
        self.pods[uid] = replace(pod, ready_lost=pod.ready_lost or self.now)

    def bring_back(self, uid: str) -> None:
        pod = self.pods[uid]
        self.lost_machines.discard(pod.node)
        ended = self.unseen.pop(uid, pod)
        self.pods[uid] = replace(pod, ready_lost=None, phase=ended.phase, termination=ended.termination)

    def set_policy(self, **policy: object) -> None:
        self.run = with_policy(self.run, **policy)
        self.version += 1

    def awaits_another(self) -> bool:
        reference = self.run.spec.base_model.from_run
        known = self.dependency.conditions[0].type if self.dependency else ""
        return reference is not None and known not in ("Succeeded", "Failed")

    def set_dependency(self, type_: str) -> None:
        made = Condition(type=type_, status="True", reason="x", last_transition_time=self.now)
        self.dependency = RunStatus.model_validate(
            {"conditions": [made], "artifacts": {"model": "s3://runs/base/artifacts/model-a0001"}}
        )

    def pass_time(self, seconds: float) -> datetime:
        self.now += timedelta(seconds=seconds)
        return self.now


def is_finished(status: RunStatus) -> bool:
    return any(one.type in ("Succeeded", "Failed") and one.status == "True" for one in status.conditions)
