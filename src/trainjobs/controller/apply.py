"""A decision → writes: each is harmless when it is done twice, or when the operator ends after it."""

import logging
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from trainjobs.api import labels
from trainjobs.api.conditions import ConditionType, Phase, Reason
from trainjobs.api.runs import Run
from trainjobs.api.status import JobReference, RunStatus
from trainjobs.controller.authority import Authority
from trainjobs.controller.cleanup import CleanUps
from trainjobs.controller.gather import Gathered, Memory, Rejected
from trainjobs.controller.keys import RunKey
from trainjobs.controller.observing import controller_uid, job_state
from trainjobs.controller.pod_groups import delete_pod_group, explained
from trainjobs.controller.reading import read_status
from trainjobs.controller.settings import OperatorSettings
from trainjobs.controller.story import Storyteller
from trainjobs.core.decide import conditions
from trainjobs.core.decide.decision import Decision, StartAttempt, StopAttempt
from trainjobs.core.decide.observed import Observed
from trainjobs.core.decide.order import ORDER, Part
from trainjobs.core.plan.neutral import job_name, make_plan
from trainjobs.core.plan.objects import Object, child, text
from trainjobs.core.plan.render import render
from trainjobs.errors import InvalidRecipe
from trainjobs.kube.client import Kube, Patch, replacing
from trainjobs.kube.errors import AlreadyExists, Conflict, Forbidden, Invalid, NotFound
from trainjobs.kube.resources import PODS, PYTORCHJOBS, RUNS, Resource, resource_of

_log = logging.getLogger(__name__)


class LookAgain(Exception):
    """What was decided cannot be done as things are; the next look knows more."""


@dataclass(frozen=True, slots=True)
class Applier:
    """Carries decisions out."""

    kube: Kube
    settings: OperatorSettings
    memory: Memory
    story: Storyteller
    clean_ups: CleanUps
    authority: Authority

    async def apply(self, key: RunKey, gathered: Gathered, decision: Decision, now: datetime) -> Gathered:
        """Do what was decided about a run; the run with what was written of it.

        Raises:
            Conflict: the run has changed since it was gathered.
            LookAgain: a name was taken, or the API server refused an object.
        """
        observed, version = gathered.observed, gathered.resource_version
        run, status = observed.run, decision.status
        for part in ORDER:
            match part:
                case Part.GUARD if decision.add_finalizer:
                    version = await self._finalizers(key, version, (*observed.finalizers, labels.FINALIZER))
                case Part.START if decision.start is not None:
                    job = await self._start(run.model_copy(update={"status": status}), decision.start, now)
                    status = status.model_copy(update={"job": job})
                case Part.STATUS if status != run.status:
                    version = await self._write(key, version, status)
                case Part.STORY:
                    await self._tell(run, decision, now)
                case Part.STOP:
                    for stop in decision.stop:
                        await self._stop(key, observed, stop)
                        await delete_pod_group(self.kube, run, stop.job_name)
                case Part.CLEAN_UP if decision.delete_stored_data:
                    await self._clean_up(observed, now)
                case Part.LET_GO if decision.remove_finalizer:
                    version = await self._let_go(key, observed, decision)
        after = replace(observed, run=run.model_copy(update={"status": status}))
        return replace(gathered, observed=after, resource_version=version)

    async def reject(self, key: RunKey, rejected: Rejected, now: datetime) -> None:
        """Say of an object that cannot be taken for a run what is wrong with it, once."""
        before = read_status(rejected.obj)
        meta = child(rejected.obj, "metadata")
        generation = meta.get("generation")
        message = f"this version of the operator cannot read the run: {rejected.why.problems}"
        status = before.model_copy(
            update={
                "observed_generation": generation if isinstance(generation, int) else None,
                "phase": before.phase or Phase.PENDING,
            }
        )
        status = conditions.false(status, ConditionType.ACCEPTED, Reason.INVALID_SPEC, message, now)
        if status != before:
            await self._write(key, text(meta, "resourceVersion"), status)

    async def _write(self, key: RunKey, version: str, status: RunStatus) -> str:
        patch = replacing(version, "/status", status.document())
        obj = await self.kube.patch(RUNS[key.kind], key.namespace, key.name, patch, subresource="status")
        return text(child(obj, "metadata"), "resourceVersion")

    async def _tell(self, run: Run, decision: Decision, now: datetime) -> None:
        for place, event in enumerate(decision.events):
            # Of one decision, and still told in this order.
            await self.story.tell(run, event, now + timedelta(microseconds=place))

    async def _clean_up(self, observed: Observed, now: datetime) -> None:
        settings = self.settings.for_namespace(observed.run.metadata.namespace)
        assert observed.storage is not None, "what is deleted has a place"
        if not await self.clean_ups.start(observed.run, observed.storage, settings, now):
            raise LookAgain("the clean-up is refused")

    async def _let_go(self, key: RunKey, observed: Observed, decision: Decision) -> str:
        kept = tuple(one for one in observed.finalizers if one != labels.FINALIZER)
        version = await self._finalizers(key, None, kept)
        for event in decision.events:
            # In a namespace that is being deleted no event can be created: only this tells.
            _log.info("%s: %s: %s", key, event.reason, event.message)
        return version

    async def _finalizers(self, key: RunKey, version: str | None, finalizers: tuple[str, ...]) -> str:
        operation = {"op": "add", "path": "/metadata/finalizers", "value": list(finalizers)}
        patch: Patch = [operation]
        if version is not None:
            patch = replacing(version, "/metadata/finalizers", list(finalizers))
        obj = await self.kube.patch(RUNS[key.kind], key.namespace, key.name, patch)
        return text(child(obj, "metadata"), "resourceVersion")

    async def _stop(self, key: RunKey, observed: Observed, stop: StopAttempt) -> None:
        """Delete a job, its pods follow; where only pods are left of it, delete those."""
        if any(job.uid == stop.job_uid for job in observed.jobs):
            await self._delete(PYTORCHJOBS, key.namespace, stop.job_name, stop.job_uid)
            return
        for pod in observed.pods:
            if pod.job_uid == stop.job_uid and pod.deleted is None and not pod.over:
                await self._delete(PODS, key.namespace, pod.name, pod.uid)

    async def _delete(self, resource: Resource, namespace: str, name: str, uid: str) -> None:
        try:
            await self.kube.delete(resource, namespace, name, uid=uid, propagation="Background")
        except (NotFound, Conflict):
            _log.info("%s %s/%s is gone already", resource.kind, namespace, name)

    async def _start(self, run: Run, start: StartAttempt, now: datetime) -> JobReference:
        """Create what an attempt consists of, or find it created: an operator may have ended here before."""
        settings = self.settings.for_namespace(run.metadata.namespace)
        settings = settings.model_copy(update={"status_ca": self.authority.pem})
        try:
            objects = render(make_plan(run, start, settings))
        except InvalidRecipe as error:
            # Nothing was wrong with the run as far as it was known when it was gathered.
            self.memory.refuse(run, f"attempt {start.attempt}", error, now)
            raise LookAgain(f"attempt {start.attempt} cannot be planned: {error}") from error
        job: JobReference | None = None
        for body in objects:
            there = await self._create(run, start, body, now)
            if body["kind"] == PYTORCHJOBS.kind:
                meta = child(there, "metadata")
                job = JobReference(name=text(meta, "name"), uid=text(meta, "uid"))
        self.memory.refused.pop(run.metadata.uid, None)
        if start.attempt > 1:
            # One whose job was deleted by somebody else is left over.
            await delete_pod_group(self.kube, run, job_name(run, start.attempt - 1))
        assert job is not None, "every plan has a job"
        return job

    async def _create(self, run: Run, start: StartAttempt, body: Object, now: datetime) -> Object:
        resource = resource_of(str(body["apiVersion"]), str(body["kind"]))
        namespace, name = run.metadata.namespace, text(child(body, "metadata"), "name")
        try:
            return await self.kube.create(resource, namespace, body)
        except AlreadyExists:
            there = await self.kube.find(resource, namespace, name)
        except (Invalid, Forbidden, NotFound) as error:
            said = error if isinstance(error, Invalid) else explained(resource, error)
            self.memory.refuse(run, f"{resource.kind} {name}", said, now)
            raise LookAgain(f"{resource.kind} {name} is refused") from error
        if there is not None and controller_uid(there) == run.metadata.uid:
            return there
        if there is not None and resource is PYTORCHJOBS:
            others = self.memory.taken.get(run.metadata.uid, ())
            self.memory.taken[run.metadata.uid] = (*others, replace(job_state(there), attempt=start.attempt))
        else:
            # Its name is the same for every attempt: asked again ever later, and said in a condition.
            foreign = Forbidden("it exists and is not controlled by the run; delete it, and it is made again")
            self.memory.refuse(run, f"{resource.kind} {name}", foreign, now)
        raise LookAgain(f"{resource.kind} {namespace}/{name} exists and belongs to somebody else")
