"""Everything that is known of a run when a decision is taken: facts, not judgements.

The controller gathers them from Kubernetes, the local program from processes; both see
jobs (one per attempt) and pods (one per node of an attempt).
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from trainjobs.api.runs import Run
from trainjobs.api.status import RunStatus, StorageStatus
from trainjobs.core.reports import FinalRecord, Heartbeat


@dataclass(frozen=True, slots=True)
class Termination:
    """How a node's container ended."""

    exit_code: int
    reason: str
    """Kubernetes' own word: `OOMKilled`, `Error`, `Completed`."""
    finished: datetime
    record: FinalRecord | None = None
    """What the agent wrote, where it came to that."""


@dataclass(frozen=True, slots=True)
class PodState:
    """One node of an attempt."""

    name: str
    uid: str
    attempt: int
    job_uid: str
    node_rank: int
    phase: Literal["Pending", "Running", "Succeeded", "Failed", "Unknown"]
    created: datetime
    node: str = ""
    scheduled: bool = False
    scheduling_message: str = ""
    """The scheduler's own words while the pod waits."""
    waiting_reason: str = ""
    """Why the container does not run yet (`ImagePullBackOff`), from the kubelet."""
    waiting_message: str = ""
    started: datetime | None = None
    deleted: datetime | None = None
    """When its deletion was asked for."""
    ready_lost: datetime | None = None
    """Since when the node controller says that the pod's machine does not answer."""
    disrupted: str = ""
    """Reason of the pod's DisruptionTarget condition: preemption, eviction, drain."""
    termination: Termination | None = None

    @property
    def ended(self) -> bool:
        """Whether its training is over: the agent's container runs no more, as its machine says.

        The pod may go on, and hold its devices: a sidecar in it may still run.
        """
        return self.over or self.termination is not None

    @property
    def over(self) -> bool:
        """Whether nothing of the pod runs any more, and its devices are free, as its machine says."""
        return self.phase in ("Succeeded", "Failed")


@dataclass(frozen=True, slots=True)
class JobState:
    """The job of one attempt."""

    name: str
    uid: str
    owner_uid: str
    """UID of the run that controls it."""
    attempt: int
    created: datetime
    suspended: bool = False
    deleted: datetime | None = None
    succeeded: bool = False
    failed: bool = False
    message: str = ""


@dataclass(frozen=True, slots=True)
class DependencyState:
    """A run that this one starts from; `status` is None where there is no such run."""

    kind: str
    name: str
    checkpoint: Literal["Best", "Final"]
    uid: str = ""
    deleted: bool = False
    status: RunStatus | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why the run cannot be accepted, as far as only the gatherer can see (policy, missing backend)."""

    reason: str
    message: str
    permanent: bool
    """False where it may become true without a change of the run (a CRD installed later)."""
    again: datetime | None = None
    """When it will be looked into again; None: nobody says."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a node is waited for that is not heard."""

    grace: timedelta = timedelta(minutes=2)
    """How long a machine that does not answer may come back, before what it ran counts as lost."""
    listening_since: datetime | None = None
    """Since when agents are heard: what they said before was said to another. None: since they live."""


@dataclass(frozen=True, slots=True)
class CleanUp:
    """The clean-up that `Decision.delete_stored_data` asks for, as it stands."""

    stage: Literal["Absent", "UnderWay", "Done"] = "Absent"
    message: str = ""
    """What does it."""
    hindrance: str = ""
    """What keeps it from being done, and what would help."""
    again: datetime | None = None
    """When to try or to look again; before that it is not tried."""
    namespace_terminating: bool = False
    """Nothing can be created in the run's namespace any more."""


@dataclass(frozen=True, slots=True)
class Observed:
    """Everything known of a run.

    Jobs and pods are read after the run, and pods by the run's label rather than through a job: a pod may
    outlive its job, and a child that is missing here counts as gone.
    """

    run: Run
    """With its present status, and its deletion timestamp where it is being deleted."""
    jobs: tuple[JobState, ...] = ()
    pods: tuple[PodState, ...] = ()
    heartbeats: tuple[Heartbeat, ...] = ()
    """The last of each node of each attempt."""
    dependencies: tuple[DependencyState, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    patience: Patience = Patience()
    storage: StorageStatus | None = None
    """Where the run is stored, or is to be, to be pinned when it starts; None: nothing is pinned."""
    stored_attempt: int = 0
    """Highest attempt that storage knows of, as far as anybody told; 0 for none."""
    finalizers: tuple[str, ...] = field(default=())
    clean_up: CleanUp = CleanUp()
    """Of a run that is being deleted."""
