"""What the operator remembers of the runs it has looked at, for agents' reports and for metrics.

All of it may be lost without harm: a look at a run brings it back.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from trainjobs.api.model_source import RunReference
from trainjobs.api.runs import Run
from trainjobs.api.status import RunStatus
from trainjobs.controller.keys import RunKey
from trainjobs.core.decide.dependencies import references
from trainjobs.core.decide.observed import Observed
from trainjobs.core.recipe.resolve import task_of

REMEMBERED_ATTEMPTS: Final = 3
"""Pods of this many attempts before the current one are still told to stop."""


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
        self._pods: dict[str, NodeIdentity] = {}
        self._pods_of: dict[RunKey, dict[str, NodeIdentity]] = {}
        self._waiting_for: dict[RunKey, frozenset[RunKey]] = {}
        self._dependents: dict[RunKey, set[RunKey]] = {}

    def note(self, key: RunKey, observed: Observed, status: RunStatus, checkpoint_now: str | None) -> None:
        """Remember a run after a look at it."""
        run = observed.run
        self._runs[key] = KnownRun(
            key, run.metadata.uid, task_of(run), status, run.metadata.creation_timestamp, checkpoint_now
        )
        self._note_pods(key, observed)
        self._note_dependencies(key, frozenset(_keys(run, (one for _, one in references(run)))))

    def forget(self, key: RunKey) -> KnownRun | None:
        """Let go of a run that is no more; what was known of it."""
        for uid in self._pods_of.pop(key, {}):
            self._pods.pop(uid, None)
        self._note_dependencies(key, frozenset())
        return self._runs.pop(key, None)

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
        """Every run that is known."""
        return frozenset(self._runs)

    def __iter__(self) -> Iterator[KnownRun]:
        return iter(list(self._runs.values()))

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


def _keys(run: Run, found: Iterable[RunReference]) -> Iterator[RunKey]:
    for reference in found:
        yield RunKey(reference.kind, run.metadata.namespace, reference.name)
