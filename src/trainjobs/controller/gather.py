"""Everything that is known of a run, gathered from the API server and from what agents said."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from trainjobs.api import labels
from trainjobs.api.conditions import ConditionType, Reason
from trainjobs.api.model_source import RunReference
from trainjobs.api.runs import Run
from trainjobs.api.status import StorageStatus
from trainjobs.controller.keys import RunKey
from trainjobs.controller.observing import controller_kind, job_state, pod_state
from trainjobs.controller.reading import (
    MOST_PROBLEMS,
    Unreadable,
    not_known,
    read_run,
    read_status,
    what_is_left,
)
from trainjobs.controller.refused import Refused, Refusing, refused
from trainjobs.controller.settings import OperatorSettings
from trainjobs.core.decide import conditions
from trainjobs.core.decide.dependencies import references
from trainjobs.core.decide.observed import DependencyState, JobState, Observed, Patience, PodState, Refusal
from trainjobs.core.plan.objects import Object, child, text
from trainjobs.core.plan.render import refusals
from trainjobs.core.recipe.storage import to_pin
from trainjobs.core.reports import Heartbeat
from trainjobs.kube.client import Kube
from trainjobs.kube.errors import NotFound
from trainjobs.kube.resources import PODS, PYTORCHJOBS, RUNS, SERVICE_ACCOUNTS

BACKEND_MISSING = Refusal(
    Reason.BACKEND_MISSING,
    "the cluster does not know PyTorchJobs; install Kubeflow's training-operator (v1), the run then goes on",
    permanent=False,
)


@dataclass(frozen=True, slots=True)
class Gathered:
    """A run as it stands."""

    observed: Observed
    resource_version: str
    """Of the run that was read: what is written back holds for this one only."""
    checkpoint_now: str | None
    """Value of the annotation that asks for a checkpoint."""

    @property
    def uid(self) -> str:
        """The run's."""
        return self.observed.run.metadata.uid


@dataclass(frozen=True, slots=True)
class Rejected:
    """An object that cannot be taken for a run."""

    obj: Object
    why: Unreadable

    @property
    def uid(self) -> str:
        """The object's."""
        return text(child(self.obj, "metadata"), "uid")


@dataclass(slots=True)
class Memory:
    """What is known of runs beyond the API server; everything in it may be lost without harm."""

    heartbeats: Callable[[str], tuple[Heartbeat, ...]] = lambda _: ()
    """The last heartbeat of each node of each attempt, by the run's UID."""
    listening_since: datetime | None = None
    """Since when agents report here; None: they do not."""
    taken: dict[str, tuple[JobState, ...]] = field(default_factory=dict)
    """By the run's UID: jobs of others that stand under names of its own."""
    refused: dict[str, Refused] = field(default_factory=dict)
    """By the run's UID: what the API server would not take, or could not be planned."""

    def refuse(self, run: Run, what: str, error: Refusing, now: datetime) -> None:
        """Remember what would not be taken."""
        uid, generation = run.metadata.uid, run.metadata.generation
        self.refused[uid] = refused(error, what, generation, self.refused.get(uid), now)

    def forget(self, run_uid: str) -> None:
        """Let go of a run that is no more."""
        self.taken.pop(run_uid, None)
        self.refused.pop(run_uid, None)


class Gatherer:
    """Reads what decisions are made from."""

    def __init__(self, kube: Kube, settings: OperatorSettings, memory: Memory) -> None:
        self._kube = kube
        self._settings = settings
        self._memory = memory
        self.backend_missing = False
        """Whether the cluster was seen without PyTorchJobs."""

    async def gather(self, key: RunKey, now: datetime) -> Gathered | Rejected | None:
        """Gather what is known of a run; None where there is no such run."""
        obj = await self._kube.find(RUNS[key.kind], key.namespace, key.name)
        if obj is None:
            return None
        run = read_run(obj)
        if "deletionTimestamp" in child(obj, "metadata"):
            if isinstance(run, Unreadable):
                left = what_is_left(obj)
                return await self._leaving(obj, left, left.status.storage)
            return await self._leaving(obj, run, self._stored_at(run))
        if isinstance(run, Unreadable):
            return Rejected(obj, run)
        # Children after the run: one that is missing here counts as gone.
        jobs = await self._jobs(run)
        pods = await self._pods(run)
        if jobs and run.spec.run_policy.queue_name is not None:
            jobs = await self._as_suspended(run, jobs)
        heartbeats = self._memory.heartbeats(run.metadata.uid)
        observed = Observed(
            run=run,
            jobs=(*(jobs or ()), *self._memory.taken.get(run.metadata.uid, ())),
            pods=pods,
            heartbeats=heartbeats,
            dependencies=await self._dependencies(run),
            refusals=(
                *_of_another_version(obj),
                *self._refusals(run, now, backend_missing=jobs is None),
                *await self._account(run, jobs),
            ),
            patience=self._patience(run),
            storage=self._stored_at(run),
            # A heartbeat of an attempt that nobody here knows: the status is older than storage.
            stored_attempt=max((beat.attempt for beat in heartbeats), default=0),
            finalizers=_finalizers(obj),
        )
        return _gathered(obj, observed)

    async def _leaving(self, obj: Object, run: Run, storage: StorageStatus | None) -> Gathered:
        """What is known of a run that is being deleted; `storage`: where it is stored, as far as known."""
        heartbeats = self._memory.heartbeats(run.metadata.uid)
        observed = Observed(
            run=run,
            jobs=await self._jobs(run) or (),
            pods=await self._pods(run),
            heartbeats=heartbeats,
            patience=self._patience(run),
            storage=storage,
            stored_attempt=max((beat.attempt for beat in heartbeats), default=0),
            finalizers=_finalizers(obj),
        )
        return _gathered(obj, observed)

    def _stored_at(self, run: Run) -> StorageStatus | None:
        return to_pin(run, self._settings.for_namespace(run.metadata.namespace))

    async def _jobs(self, run: Run) -> tuple[JobState, ...] | None:
        """The jobs of the run's attempts; None where the cluster knows no such kind."""
        try:
            found = await self._kube.list_all(PYTORCHJOBS, run.metadata.namespace, labels=_selector(run))
        except NotFound:
            self.backend_missing = True
            return None
        jobs = tuple(map(job_state, found))
        named = run.status.job
        if named is None or conditions.holds(run.status, ConditionType.FINISHED):
            return jobs
        if any(job.uid == named.uid for job in jobs):
            return jobs
        # The list goes by a label, which somebody may have taken off.
        there = await self._kube.find(PYTORCHJOBS, run.metadata.namespace, named.name)
        state = job_state(there) if there is not None else None
        if state is None or state.uid != named.uid:
            return jobs
        return (*jobs, replace(state, attempt=run.status.attempt))

    async def _as_suspended(self, run: Run, jobs: tuple[JobState, ...]) -> tuple[JobState, ...]:
        """The jobs, suspended where they are by now: a queue suspends a job first, and then its pods go.

        All else of them is older than the pods: a pod fails first, and then its job.
        """
        now = {job.uid: job.suspended for job in await self._jobs(run) or ()}
        return tuple(replace(job, suspended=now.get(job.uid, job.suspended)) for job in jobs)

    async def _pods(self, run: Run) -> tuple[PodState, ...]:
        found = await self._kube.list_all(PODS, run.metadata.namespace, labels=_selector(run))
        # Whoever may create pods may give them a run's labels; those are none of its business.
        return tuple(pod_state(pod) for pod in found if controller_kind(pod) == PYTORCHJOBS.kind)

    async def _dependencies(self, run: Run) -> tuple[DependencyState, ...]:
        if conditions.holds(run.status, ConditionType.FINISHED):
            return ()
        states = []
        for _, reference in references(run):
            resource = RUNS[reference.kind]
            obj = await self._kube.find(resource, run.metadata.namespace, reference.name)
            states.append(_dependency(reference, obj))
        return tuple(states)

    def _patience(self, run: Run) -> Patience:
        grace = self._settings.for_namespace(run.metadata.namespace).node_grace_seconds
        return Patience(timedelta(seconds=grace), self._memory.listening_since)

    def _refusals(self, run: Run, now: datetime, *, backend_missing: bool) -> tuple[Refusal, ...]:
        found = refusals(run, self._settings.for_namespace(run.metadata.namespace))
        last = self._memory.refused.get(run.metadata.uid)
        if last is not None and last.generation == run.metadata.generation and now < last.until:
            found = (*found, last.refusal)
        return (*found, BACKEND_MISSING) if backend_missing else found

    async def _account(self, run: Run, jobs: tuple[JobState, ...] | None) -> tuple[Refusal, ...]:
        """Refuse a run whose ServiceAccount is not there: no pod would be made, and nobody would say so."""
        name = run.spec.runtime.service_account_name
        if name is None or jobs or conditions.holds(run.status, ConditionType.FINISHED):
            return ()
        if await self._kube.find(SERVICE_ACCOUNTS, run.metadata.namespace, name) is not None:
            return ()
        message = (
            f"spec.runtime.serviceAccountName: there is no ServiceAccount {name} in this namespace; make it"
        )
        return (Refusal(Reason.INVALID_SPEC, message, permanent=False),)


def _gathered(obj: Object, observed: Observed) -> Gathered:
    asked = observed.run.metadata.annotations.get(labels.CHECKPOINT_NOW)
    return Gathered(observed, text(child(obj, "metadata"), "resourceVersion"), asked)


def _finalizers(obj: Object) -> tuple[str, ...]:
    finalizers = child(obj, "metadata").get("finalizers")
    return tuple(str(one) for one in finalizers) if isinstance(finalizers, list) else ()


def _of_another_version(obj: Object) -> tuple[Refusal, ...]:
    """Start nothing of a run that asks for what this version does not know: what runs already goes on."""
    unknown = not_known(obj)
    if not unknown:
        return ()
    message = (
        f"this version of the operator does not know {', '.join(unknown[:MOST_PROBLEMS])}: "
        "it starts no attempt of this run until it is upgraded, or the field is removed"
    )
    return (Refusal(Reason.UNSUPPORTED, message, permanent=False),)


def _dependency(reference: RunReference, obj: Object | None) -> DependencyState:
    kind, name, checkpoint = reference.kind, reference.name, reference.checkpoint
    if obj is None:
        return DependencyState(kind, name, checkpoint)
    meta = child(obj, "metadata")
    return DependencyState(
        kind,
        name,
        checkpoint,
        uid=text(meta, "uid"),
        deleted="deletionTimestamp" in meta,
        status=read_status(obj),
    )


def _selector(run: Run) -> str:
    return f"{labels.RUN_UID}={run.metadata.uid}"
