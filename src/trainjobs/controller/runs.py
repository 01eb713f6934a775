"""What the operator remembers of the runs it has looked at, for agents' reports and for metrics.

All of it may be lost without harm: a look at a run brings it back.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from trainjobs.api.runs import Run
from trainjobs.api.status import RunStatus
from trainjobs.controller.heartbeats import REMEMBERED_ATTEMPTS
from trainjobs.controller.keys import RunKey
from trainjobs.core.decide.dependencies import references
from trainjobs.core.decide.observed import Observed
from trainjobs.core.recipe.resolve import task_of


@dataclass(frozen=True, slots=True)
class KnownRun:
    """A run as it was after the last look."""

    key: RunKey
    uid: str
    task: str
    """What it trains."""
    status: RunStatus
    created: datetime | None
    checkpoint_now: str | None
    """Value of the annotation that asks for a checkpoint."""


@dataclass(frozen=True, slots=True)
class NodeIdentity:
    """Which node of which attempt a pod is."""

    key: RunKey
    run_uid: str
    attempt: int
    node_rank: int


class RunTable:
    """The runs, their pods, and who waits for whom."""

    def __init__(self) -> None:
        self._runs: dict[RunKey, KnownRun] = {}
        self._uids: dict[RunKey, set[str]] = {}
        """Every run of this name that anything is remembered of: what was made again has another UID."""
        self._pods: dict[str, NodeIdentity] = {}
        self._pods_of: dict[RunKey, dict[str, NodeIdentity]] = {}
        self._waiting_for: dict[RunKey, frozenset[RunKey]] = {}
        self._dependents: dict[RunKey, set[RunKey]] = {}

    def note(self, key: RunKey, observed: Observed, status: RunStatus, checkpoint_now: str | None) -> None:
        """Remember a run after a look at it."""
        meta = observed.run.metadata
        self.met(key, meta.uid)
        created, task = meta.creation_timestamp, self._task(key, observed.run)
        self._runs[key] = KnownRun(key, meta.uid, task, status, created, checkpoint_now)
        self._note_pods(key, observed)
        self._note_dependencies(key, _needed(observed.run))

    def met(self, key: RunKey, uid: str) -> None:
        """Remember that something is remembered of a run, so that it can be forgotten."""
        self._uids.setdefault(key, set()).add(uid)

    def forget(self, key: RunKey, *, but: str = "") -> frozenset[str]:
        """Let go of the runs of a name that are no more.

        Args:
            key: the name.
            but: UID of the run that has it now; empty for none.

        Returns:
            The UIDs of those that are no more.
        """
        gone = frozenset(self._uids.get(key, ())) - {but}
        for uid, node in list(self._pods_of.get(key, {}).items()):
            if node.run_uid != but:
                del self._pods_of[key][uid]
                self._pods.pop(uid, None)
        known = self._runs.get(key)
        if known is not None and known.uid != but:
            del self._runs[key]
            self._note_dependencies(key, frozenset())
        self._uids[key] = {but} & self._uids.get(key, set())
        for places in (self._uids, self._pods_of):
            if not places.get(key):
                places.pop(key, None)
        return gone

    def get(self, key: RunKey) -> KnownRun | None:
        """What is known of a run."""
        return self._runs.get(key)

    def node(self, pod_uid: str) -> NodeIdentity | None:
        """Which node a pod is, as far as it was seen."""
        return self._pods.get(pod_uid)

    def dependents(self, key: RunKey) -> frozenset[RunKey]:
        """The runs that start from this one."""
        return frozenset(self._dependents.get(key, ()))

    def keys(self) -> frozenset[RunKey]:
        """Every run that anything is remembered of."""
        return frozenset(self._uids)

    def __iter__(self) -> Iterator[KnownRun]:
        return iter(list(self._runs.values()))

    def _task(self, key: RunKey, run: Run) -> str:
        """What a run trains; one that is being deleted may not say so any more."""
        if run.metadata.deletion_timestamp is None:
            return task_of(run)
        known = self._runs.get(key)
        return known.task if known is not None and known.uid == run.metadata.uid else ""

    def _note_pods(self, key: RunKey, observed: Observed) -> None:
        """Remember the pods of the run's own jobs: labels alone say nothing.

        Those of earlier attempts too, gone or not: one whose machine was lost may come back and report.
        """
        run = observed.run
        own = {job.uid for job in observed.jobs if job.owner_uid == run.metadata.uid}
        pods = self._pods_of.setdefault(key, {})
        for pod in observed.pods:
            if pod.job_uid in own:
                pods[pod.uid] = NodeIdentity(key, run.metadata.uid, pod.attempt, pod.node_rank)
        oldest = run.status.attempt - REMEMBERED_ATTEMPTS
        for uid, node in list(pods.items()):
            if node.attempt < oldest or node.run_uid != run.metadata.uid:
                del pods[uid]
                self._pods.pop(uid, None)
            else:
                self._pods[uid] = node

    def _note_dependencies(self, key: RunKey, others: frozenset[RunKey]) -> None:
        for other in self._waiting_for.pop(key, frozenset()) - others:
            self._dependents[other].discard(key)
            if not self._dependents[other]:
                del self._dependents[other]
        for other in others:
            self._dependents.setdefault(other, set()).add(key)
        if others:
            self._waiting_for[key] = others


def _needed(run: Run) -> frozenset[RunKey]:
    """The runs that a run starts from; one that is being deleted starts no more."""
    if run.metadata.deletion_timestamp is not None:
        return frozenset()
    return frozenset(RunKey(one.kind, run.metadata.namespace, one.name) for _, one in references(run))
