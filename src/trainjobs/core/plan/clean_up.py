"""The Job that deletes what a run left in storage: a pod in the run's namespace, which has the keys for it.

What it deletes, and by which keys, is what the run's status pinned when it started: nothing is resolved from
the spec. Where its pod goes and what it reaches follows the platform and the run as far as both can be read.
"""

from contextlib import suppress
from typing import Final

from pydantic import JsonValue

from trainjobs.api import labels
from trainjobs.api.runs import Run
from trainjobs.api.status import StorageStatus
from trainjobs.core.plan.environment import STORAGE_CA, plain, storage_environment
from trainjobs.core.plan.merge import merged
from trainjobs.core.plan.neutral import base_name
from trainjobs.core.plan.objects import Object, child, children, text
from trainjobs.core.plan.platform import with_platform
from trainjobs.core.plan.pod import POD_SECURITY, UNPRIVILEGED, owner_labels, owner_references
from trainjobs.core.plan.policy.affinity import affinity
from trainjobs.core.plan.policy.permissions import priority_class, service_account
from trainjobs.core.plan.sources import CLAIMS, CONFIG_MAPS
from trainjobs.core.settings import Settings
from trainjobs.core.uris import Scheme, parse_uri
from trainjobs.errors import InvalidRecipe

API_VERSION: Final = "batch/v1"
KIND: Final = "Job"
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


def job_name(run: Run) -> str:
    """Name of a run's clean-up Job."""
    return f"{base_name(run)}-clean-up"


def clean_up_job(run: Run, storage: StorageStatus, settings: Settings, image: str) -> Object:
    """The Job that deletes a run's folder in storage; it goes with the run.

    It has what the run's own pods have: the keys, the certificate authority, the claim, the ServiceAccount,
    the way to a node, to images and to storage; and it queues where the run queued.

    Args:
        run: the run, or what is left of one that cannot be read.
        storage: where it is stored.
        settings: the platform's.
        image: what the Job runs.

    Raises:
        InvalidRecipe: the folder's URI is none.
    """
    like = _like(run, storage, settings)
    container = _container(like, storage, settings, image)
    mounted = {text(mount, "name") for mount in children(container, "volumeMounts")}
    pod: Object = {
        **{name: like[name] for name in (*OF_THE_PLATFORM, *OF_THE_RUN) if name in like},
        "restartPolicy": "Never",
        "containers": [container],
        "volumes": [one for one in children(like, "volumes") if text(one, "name") in mounted],
    }
    queue = run.spec.run_policy.queue_name
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
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


def _like(run: Run, storage: StorageStatus, settings: Settings) -> Object:
    """The spec of a pod like the run's own, as far as the clean-up follows it.

    Of `spec.podTemplate` only where pods go and what they reach counts. What cannot be merged, or would be
    refused, is left out: data are deleted of refused runs, too, and a spec that was changed after the last
    start is no way to what its pods would not get.
    """
    planned: Object = _planned(run, storage)
    template: Object = {"spec": planned}
    with suppress(InvalidRecipe):
        template = with_platform(template, settings)
    own = child(run.spec.pod_template, "spec")
    follows: list[Object] = [{name: own[name]} for name in OF_THE_RUN if name in own]
    trusted = found = child(template, "spec")
    for over in (_asked(run, settings), *follows):
        with suppress(InvalidRecipe):
            follower = merged(found, over)
            found = found if any(affinity(trusted, follower)) else follower
    return found


def _planned(run: Run, storage: StorageStatus) -> Object:
    uri = parse_uri(storage.uri)
    volumes: list[JsonValue] = []
    mounts: list[JsonValue] = []
    if storage.ca_config_map_name:
        volumes.append({"name": "storage-ca", "configMap": {"name": storage.ca_config_map_name}})
        mounts.append({"name": "storage-ca", "mountPath": STORAGE_CA, "readOnly": True})
    if uri.scheme is Scheme.CLAIM:
        volumes.append({"name": "storage", "persistentVolumeClaim": {"claimName": uri.place}})
        mounts.append({"name": "storage", "mountPath": f"{CLAIMS}/{uri.place}"})
    pulls: list[JsonValue] = [{"name": one.name} for one in run.spec.runtime.image_pull_secrets]
    return {
        "automountServiceAccountToken": False,
        "securityContext": POD_SECURITY,
        "containers": [
            {"name": labels.CONTAINER, "env": [*storage_environment(storage)], "volumeMounts": mounts}
        ],
        "volumes": volumes,
        **({"imagePullSecrets": pulls} if pulls else {}),
    }


def _asked(run: Run, settings: Settings) -> Object:
    runtime, policy = run.spec.runtime, run.spec.run_policy
    account_refused = any(service_account(run, settings, {}, {}))
    priority_refused = any(priority_class(run, settings, {}, {}))
    asked: Object = {
        "serviceAccountName": None if account_refused else runtime.service_account_name,
        "priorityClassName": None if priority_refused else policy.priority_class_name,
        "containers": [
            {"name": labels.CONTAINER, "env": [*(plain(one.name, one.value) for one in runtime.env)]}
        ],
    }
    return {name: value for name, value in asked.items() if value}


def _container(like: Object, storage: StorageStatus, settings: Settings, image: str) -> Object:
    trained = next(one for one in children(like, "containers") if text(one, "name") == labels.CONTAINER)
    small = {text(one, "name") for one in children(like, "volumes") if one.keys() & SMALL_FILES}
    given = {text(one, "name") for one in settings.env} | PROXIES
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
        "command": ["python", "-m", "trainjobs.controller.emptying", storage.uri],
        "env": [*environment],
        "volumeMounts": [*mounts],
        # Not the platform's: its devices are for training.
        "securityContext": UNPRIVILEGED,
        "resources": {"requests": {"cpu": "50m", "memory": "128Mi"}, "limits": {"memory": "512Mi"}},
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }


def _is_of_inputs(mount: Object) -> bool:
    return text(mount, "mountPath").startswith(f"{CONFIG_MAPS}/")


def _is_of_storage(mount: Object) -> bool:
    path = text(mount, "mountPath")
    return path == STORAGE_CA or (path.startswith(f"{CLAIMS}/") and mount.get("readOnly") is not True)
