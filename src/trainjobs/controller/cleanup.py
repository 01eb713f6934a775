"""The clean-up of what a run left in storage: a Job in the run's namespace, which has the keys for it."""

from dataclasses import dataclass
from typing import Final

from trainjobs.api import labels
from trainjobs.api.runs import Run
from trainjobs.core.decide.decision import StartAttempt
from trainjobs.core.plan.environment import STORAGE_CA
from trainjobs.core.plan.merge import merged
from trainjobs.core.plan.neutral import Plan, base_name, make_plan
from trainjobs.core.plan.objects import Object, child, children, text
from trainjobs.core.plan.platform import trusted_template
from trainjobs.core.plan.pod import owner_labels, owner_references, pod_template
from trainjobs.core.plan.pytorchjob import backend
from trainjobs.core.plan.render import with_assumed_models
from trainjobs.core.plan.sources import CLAIMS, CONFIG_MAPS
from trainjobs.core.settings import Settings
from trainjobs.errors import InvalidRecipe
from trainjobs.kube.client import Kube
from trainjobs.kube.errors import AlreadyExists, Forbidden, Invalid, NamespaceTerminating
from trainjobs.kube.resources import JOBS

CONTAINER: Final = "clean-up"
OF_THE_PLATFORM: Final = (
    "automountServiceAccountToken",
    "priorityClassName",
    "runtimeClassName",
    "securityContext",
    "serviceAccountName",
)
OF_THE_RUN: Final = (
    "affinity",
    "dnsConfig",
    "dnsPolicy",
    "hostAliases",
    "imagePullSecrets",
    "nodeSelector",
    "tolerations",
)
PROXIES: Final = frozenset(
    name
    for upper in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
    for name in (upper, upper.lower())
)
SMALL_FILES: Final = frozenset({"configMap", "secret"})
"""Volumes of certificate authorities and the like."""


@dataclass(frozen=True, slots=True)
class State:
    """How far the clean-up is."""

    done: bool = False
    message: str = ""
    """What keeps it from being done."""
    namespace_terminating: bool = False


@dataclass(frozen=True, slots=True)
class Cleanup:
    """Starts and watches clean-up Jobs."""

    kube: Kube
    image: str

    async def start(self, run: Run, settings: Settings) -> None:
        """Start the clean-up of a run, where it does not run yet."""
        try:
            await self.kube.create(JOBS, run.metadata.namespace, clean_up_job(run, settings, self.image))
        except AlreadyExists:
            return

    async def state(self, run: Run, settings: Settings) -> State:
        """How far the clean-up of a run is, and whether anything can be created in its namespace at all."""
        job = await self.kube.find(JOBS, run.metadata.namespace, job_name(run))
        if job is not None:
            return _state_of(job)
        try:
            body = clean_up_job(run, settings, self.image or "none")
        except InvalidRecipe as error:
            return State(message=f"the clean-up cannot be planned: {error}")
        try:
            await self.kube.create(JOBS, run.metadata.namespace, body, mode="DryRun")
        except NamespaceTerminating:
            return State(namespace_terminating=True)
        except (Invalid, Forbidden) as error:
            return State(message=f"the API server refuses the clean-up, Job {job_name(run)}: {error.said}")
        if not self.image:
            return State(message="the operator knows no image to clean up with; set its `image`")
        return State()


def _state_of(job: Object) -> State:
    for condition in children(child(job, "status"), "conditions"):
        if text(condition, "status") == "True" and text(condition, "type") == "Complete":
            return State(done=True)
        if text(condition, "status") == "True" and text(condition, "type") == "Failed":
            name = text(child(job, "metadata"), "name")
            said = text(condition, "message") or text(condition, "reason")
            return State(message=f"Job {name}: {said}; see its logs, then delete it to try again")
    return State()


def job_name(run: Run) -> str:
    """Name of a run's clean-up Job."""
    return f"{base_name(run)}-clean-up"


def clean_up_job(run: Run, settings: Settings, image: str) -> Object:
    """The Job that deletes a run's folder in storage; it goes with the run.

    It has what the run's own pods have: the keys, the certificate authority, the claim, the ServiceAccount,
    the way to a node, to images and to storage; and it queues where the run queued.
    """
    run = with_assumed_models(run)
    plan = make_plan(run, StartAttempt(attempt=1, halve_batch=0, queued=False), settings)
    like = _like(plan)
    container = _container(plan, like, image)
    mounted = {text(mount, "name") for mount in children(container, "volumeMounts")}
    pod: Object = {
        **{name: like[name] for name in (*OF_THE_PLATFORM, *OF_THE_RUN) if name in like},
        "restartPolicy": "Never",
        "containers": [container],
        "volumes": [one for one in children(like, "volumes") if text(one, "name") in mounted],
    }
    queue = run.spec.run_policy.queue_name
    return {
        "apiVersion": JOBS.api_version,
        "kind": JOBS.kind,
        "metadata": {
            "name": job_name(run),
            "namespace": run.metadata.namespace,
            "labels": {**owner_labels(run), **({labels.KUEUE_QUEUE: queue} if queue else {})},
            "ownerReferences": owner_references(run),
        },
        "spec": {
            "backoffLimit": 6,
            # Without the label of the run's UID: this is no pod of an attempt.
            "template": {"metadata": {"labels": {labels.MANAGED_BY: "trainjobs"}}, "spec": pod},
        },
    }


def _like(plan: Plan) -> Object:
    """The spec of the run's own pods, as far as the clean-up follows it.

    Of `spec.podTemplate` only where pods go and what they reach counts, and nothing where it cannot be
    merged: data are deleted of refused runs, too.
    """
    trusted = child(trusted_template(plan, backend(plan)), "spec")
    own = child(plan.run.spec.pod_template, "spec")
    try:
        return merged(trusted, {name: own[name] for name in OF_THE_RUN if name in own})
    except InvalidRecipe:
        return trusted


def _container(plan: Plan, like: Object, image: str) -> Object:
    trained = next(one for one in children(like, "containers") if text(one, "name") == labels.CONTAINER)
    small = {text(one, "name") for one in children(like, "volumes") if one.keys() & SMALL_FILES}
    given = {text(one, "name") for one in plan.settings.env} | PROXIES
    environment = [
        one
        for one in children(trained, "env")
        if (name := text(one, "name")) in given or name.startswith("AWS_")
    ]
    mounts = [
        one
        for one in children(trained, "volumeMounts")
        if _is_of_storage(one) or (text(one, "name") in small and not _is_of_inputs(one))
    ]
    return {
        "name": CONTAINER,
        "image": image,
        "command": ["python", "-m", "trainjobs.controller.emptying", plan.recipe.store],
        "env": [*environment],
        "volumeMounts": [*mounts],
        "securityContext": _unprivileged(plan),
        "resources": {"requests": {"cpu": "50m", "memory": "128Mi"}, "limits": {"memory": "512Mi"}},
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }


def _unprivileged(plan: Plan) -> Object:
    """What a container is planned with: devices are for training."""
    planned = child(pod_template(plan, backend(plan)), "spec")
    return child(children(planned, "containers")[0], "securityContext")


def _is_of_inputs(mount: Object) -> bool:
    return text(mount, "mountPath").startswith(f"{CONFIG_MAPS}/")


def _is_of_storage(mount: Object) -> bool:
    path = text(mount, "mountPath")
    return path == STORAGE_CA or (path.startswith(f"{CLAIMS}/") and mount.get("readOnly") is not True)
