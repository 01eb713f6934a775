"""The clean-up of what a run left in storage, as its Job stands: what does it, and what holds it up."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from trainjobs.api.runs import Run
from trainjobs.api.status import StorageStatus
from trainjobs.controller.observing import controller_uid, optional_time
from trainjobs.controller.refused import Refused, refused
from trainjobs.core.decide.observed import CleanUp
from trainjobs.core.plan.clean_up import clean_up_job, job_name
from trainjobs.core.plan.objects import Object, child, children, text
from trainjobs.core.settings import Settings
from trainjobs.errors import InvalidRecipe
from trainjobs.kube.client import Kube
from trainjobs.kube.errors import AlreadyExists, Forbidden, Invalid, NamespaceTerminating
from trainjobs.kube.resources import EVENTS, JOBS, PODS

MADE_WITHIN: Final = timedelta(seconds=20)
"""What a Job takes to get a pod and a machine where nothing is wrong."""
STARTS_WITHIN: Final = timedelta(minutes=5)
"""What its pod takes to start, an image that has to be pulled first."""
LOOK_EVERY: Final = timedelta(seconds=30)
"""How often to look at a Job under way: its pods wake nobody."""
OF_JOB: Final = "batch.kubernetes.io/job-name"
MAX_SAID: Final = 500
"""Characters of what others say that are passed on."""


@dataclass(slots=True)
class CleanUps:
    """Starts and watches clean-up Jobs."""

    kube: Kube
    image: str
    refused: dict[str, Refused] = field(default_factory=dict)
    """By the run's UID: what the API server would not take; it may be lost without harm."""

    async def start(self, run: Run, storage: StorageStatus, settings: Settings, now: datetime) -> bool:
        """Start the clean-up of a run; False where it is refused, and `state` says by whom."""
        try:
            await self.kube.create(
                JOBS, run.metadata.namespace, clean_up_job(run, storage, settings, self.image)
            )
        except AlreadyExists:
            return True
        except (Invalid, Forbidden) as error:
            uid, generation = run.metadata.uid, run.metadata.generation
            what = f"the clean-up, Job {job_name(run)}"
            self.refused[uid] = refused(error, what, generation, self.refused.get(uid), now)
            return False
        self.refused.pop(run.metadata.uid, None)
        return True

    async def state(self, run: Run, storage: StorageStatus, settings: Settings, now: datetime) -> CleanUp:
        """How far the clean-up of a run is, and whether anything can be created in its namespace at all."""
        job = await self.kube.find(JOBS, run.metadata.namespace, job_name(run))
        if job is not None:
            return await self._under_way(run, job, now)
        if await self._is_terminating(run):
            return CleanUp(namespace_terminating=True)
        again = now + LOOK_EVERY
        try:
            clean_up_job(run, storage, settings, self.image)
        except InvalidRecipe as error:
            return CleanUp(hindrance=f"the clean-up cannot be planned: {error}", again=again)
        if not self.image:
            why = "the operator knows no image to clean up with; set `image` in its settings"
            return CleanUp(hindrance=why, again=again)
        last = self.refused.get(run.metadata.uid)
        if last is not None and last.generation == run.metadata.generation:
            why = f"{last.refusal.message[:MAX_SAID]}; change what refuses it, and it is made"
            return CleanUp(hindrance=why, again=last.until)
        return CleanUp()

    def forget(self, run_uid: str) -> None:
        """Let go of a run that is no more."""
        self.refused.pop(run_uid, None)

    async def _is_terminating(self, run: Run) -> bool:
        """Whether the run's namespace is being deleted: an API server says so before all else."""
        namespace = run.metadata.namespace
        container: Object = {"name": "none", "image": "none"}
        pod: Object = {"restartPolicy": "Never", "containers": [container]}
        body: Object = {
            "apiVersion": JOBS.api_version,
            "kind": JOBS.kind,
            "metadata": {"name": job_name(run), "namespace": namespace},
            "spec": {"template": {"spec": pod}},
        }
        try:
            await self.kube.create(JOBS, namespace, body, mode="DryRun")
        except NamespaceTerminating:
            return True
        except (AlreadyExists, Invalid, Forbidden):
            # A policy or a webhook that says no to this one may take the real one.
            return False
        return False

    async def _under_way(self, run: Run, job: Object, now: datetime) -> CleanUp:
        name = job_name(run)
        if controller_uid(job) != run.metadata.uid:
            why = f"Job {name} exists and is not controlled by the run; delete it, and the clean-up is made"
            return CleanUp("UnderWay", hindrance=why, again=now + LOOK_EVERY)
        for condition in children(child(job, "status"), "conditions"):
            if text(condition, "status") == "True" and text(condition, "type") == "Complete":
                return CleanUp("Done")
            if text(condition, "status") == "True" and text(condition, "type") == "Failed":
                said = (text(condition, "message") or text(condition, "reason"))[:MAX_SAID]
                why = f"Job {name} failed: {said}; see its logs, then delete it to try again"
                return CleanUp("UnderWay", hindrance=why, again=now + LOOK_EVERY)
        message = f"Job {name} deletes what the run has stored"
        age = now - (optional_time(child(job, "metadata"), "creationTimestamp") or now)
        if age < MADE_WITHIN:
            return CleanUp("UnderWay", message, again=now - age + MADE_WITHIN)
        why = await self._held_up(run, job, age)
        return CleanUp("UnderWay", message, hindrance=why, again=now + LOOK_EVERY)

    async def _held_up(self, run: Run, job: Object, age: timedelta) -> str:
        """Why a Job that has had time for it does not run; empty where it does."""
        name, namespace = job_name(run), run.metadata.namespace
        if child(job, "spec").get("suspend") is True:
            queue = run.spec.run_policy.queue_name
            waits = f"its queue, LocalQueue {queue}, has not admitted it" if queue else "it is suspended"
            return f"Job {name} waits: {waits}; make room there, or set the Job's spec.suspend to false"
        pods = await self.kube.list_all(PODS, namespace, labels=f"{OF_JOB}={name}")
        if not pods:
            said = await self._said_of_pods(namespace, name)
            return (
                f"Job {name} has no pod{f': {said}' if said else ''}; raise the quota or change the policy "
                "that refuses it"
            )
        return next((f"Job {name} waits: {why}" for pod in pods if (why := _why_pending(pod, age))), "")

    async def _said_of_pods(self, namespace: str, job: str) -> str:
        """What the Job's controller was told when it made a pod."""
        fields = f"regarding.kind=Job,regarding.name={job},reason=FailedCreate"
        try:
            told = await self.kube.list_all(EVENTS, namespace, fields=fields)
        except (Forbidden, Invalid):
            return ""
        notes = [text(one, "note") for one in told]
        return notes[-1][:MAX_SAID] if notes else ""


def _why_pending(pod: Object, age: timedelta) -> str:
    """What the scheduler or the kubelet says of a pod that does not run yet."""
    status = child(pod, "status")
    if text(status, "phase") != "Pending":
        return ""
    for condition in children(status, "conditions"):
        if text(condition, "type") == "PodScheduled" and text(condition, "status") == "False":
            return f"no machine takes it: {text(condition, 'message')[:MAX_SAID]}; make room, or add one"
    for container in children(status, "containerStatuses"):
        waiting = child(child(container, "state"), "waiting")
        if waiting and text(waiting, "reason") not in ("ContainerCreating", "PodInitializing"):
            said = f"{text(waiting, 'reason')} {text(waiting, 'message')}".strip()[:MAX_SAID]
            return f"{said}; give it what it lacks, and it goes on"
    name = text(child(pod, "metadata"), "name")
    return f"its pod does not start; kubectl describe pod {name} says why" if age > STARTS_WITHIN else ""
