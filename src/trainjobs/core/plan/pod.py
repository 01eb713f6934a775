"""The pod of one node, as every backend starts it: before anything is merged over it.

It fits a namespace that enforces the `restricted` Pod Security Standard: user 1000, no capabilities, a
read-only root. It gets no Kubernetes credentials but one token, which only the status server takes.
"""

import json

from pydantic import JsonValue

from trainjobs.api import labels
from trainjobs.api.runs import Run
from trainjobs.core.plan.environment import (
    ATTACHED,
    CACHE,
    KEYS,
    KEYS_FOLDER,
    MASTER_PORT,
    METRICS_PORT,
    STORAGE_CA,
    WORKSPACE,
    Backend,
    environment,
    secret_environment,
)
from trainjobs.core.plan.gang import scheduler_name, signs
from trainjobs.core.plan.neutral import Plan
from trainjobs.core.plan.objects import Object
from trainjobs.core.plan.sources import source_volumes
from trainjobs.core.recipe.pods import asked_resources

USER = 1000
TEMPORARY_SIZE = "8Gi"
"""Of /tmp: compilers' caches and Python's temporary files; models and checkpoints go to the workspace."""
TOKEN_SECONDS = 3600
ATTACHED_VOLUME = "trainjobs"
AGENT = ("python", "-I", "-u", "-m", "trainjobs.agent")
"""Isolated: no module in the working directory and no `PYTHON…` variable bends what its image holds."""
POD_SECURITY: Object = {
    "runAsNonRoot": True,
    "runAsUser": USER,
    "runAsGroup": USER,
    "fsGroup": USER,
    "fsGroupChangePolicy": "OnRootMismatch",
    "seccompProfile": {"type": "RuntimeDefault"},
}
UNPRIVILEGED: Object = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}
"""A container's security context."""


def pod_template(plan: Plan, backend: Backend) -> Object:
    """The planned PodTemplateSpec."""
    return {
        "metadata": {
            "labels": {**run_labels(plan), **signs(plan, "Label")},
            "annotations": {**_annotations(plan), **signs(plan, "Annotation")},
        },
        "spec": _spec(plan, backend),
    }


def run_labels(plan: Plan) -> dict[str, JsonValue]:
    """Labels of everything that exists for one attempt of a run."""
    return {
        **owner_labels(plan.run),
        labels.ATTEMPT: str(plan.attempt),
    }


def owner_labels(run: Run) -> dict[str, JsonValue]:
    """Labels of everything that exists for a run."""
    return {
        labels.MANAGED_BY: "trainjobs",
        labels.RUN_KIND: run.kind,
        labels.RUN_NAME: run.metadata.name,
        labels.RUN_UID: run.metadata.uid,
    }


def owner_references(run: Run) -> list[JsonValue]:
    """The run controls what exists for it, so that it goes when the run goes."""
    return [
        {
            "apiVersion": labels.API_VERSION,
            "kind": run.kind,
            "name": run.metadata.name,
            "uid": run.metadata.uid,
            "controller": True,
            "blockOwnerDeletion": True,
        }
    ]


def _annotations(plan: Plan) -> Object:
    recipe = plan.recipe.model_dump(mode="json", by_alias=True, exclude_none=True)
    found: Object = {
        labels.RECIPE: json.dumps(recipe, ensure_ascii=False, separators=(",", ":")),
    }
    if plan.settings.status_url and plan.settings.status_ca:
        found[labels.STATUS_CA] = plan.settings.status_ca
    return found


def _spec(plan: Plan, backend: Backend) -> Object:
    spec, policy = plan.run.spec, plan.run.spec.run_policy
    pod: Object = {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": POD_SECURITY,
        "terminationGracePeriodSeconds": plan.settings.grace_seconds,
        "containers": [_container(plan, backend)],
        "volumes": _volumes(plan),
    }
    optional: Object = {
        "serviceAccountName": spec.runtime.service_account_name,
        "priorityClassName": policy.priority_class_name,
        "schedulerName": scheduler_name(plan),
        "imagePullSecrets": [{"name": one.name} for one in spec.runtime.image_pull_secrets],
        "topologySpreadConstraints": _spread(plan),
    }
    return {**pod, **{key: value for key, value in optional.items() if value}}


def _spread(plan: Plan) -> list[JsonValue]:
    if plan.recipe.processes.nodes == 1:
        return []
    return [
        {
            "maxSkew": 1,
            "topologyKey": "kubernetes.io/hostname",
            # A wish, not a condition: two nodes on one large machine train, a run that waits does not.
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": run_labels(plan)},
        }
    ]


def _container(plan: Plan, backend: Backend) -> Object:
    runtime = plan.run.spec.runtime
    container: Object = {
        "name": labels.CONTAINER,
        "image": runtime.image or plan.settings.image,
        "imagePullPolicy": runtime.image_pull_policy,
        "command": [*AGENT],
        "env": environment(plan, backend),
        "ports": [
            {"name": "pytorchjob-port", "containerPort": MASTER_PORT},
            {"name": "metrics", "containerPort": METRICS_PORT},
        ],
        "volumeMounts": _mounts(plan),
        "securityContext": UNPRIVILEGED,
        "terminationMessagePolicy": "File",
    }
    if secrets := secret_environment(plan):
        container["envFrom"] = secrets
    if asked := asked_resources(plan.run.spec.resources):
        container["resources"] = asked
    return container


def _volumes(plan: Plan) -> list[JsonValue]:
    workspace = plan.run.spec.workspace
    storage = plan.recipe.checkpoints.storage
    memory: Object = {"medium": "Memory", "sizeLimit": workspace.shared_memory_size}
    volumes: list[JsonValue] = [
        {"name": ATTACHED_VOLUME, "projected": {"sources": _attached(plan)}},
        {"name": "workspace", **_workspace(plan)},
        {"name": "tmp", "emptyDir": {"sizeLimit": TEMPORARY_SIZE}},
        {"name": "shared-memory", "emptyDir": memory},
    ]
    if workspace.cache_claim_name:
        volumes.append({"name": "cache", "persistentVolumeClaim": {"claimName": workspace.cache_claim_name}})
    if storage.ca_config_map_name:
        volumes.append({"name": "storage-ca", "configMap": {"name": storage.ca_config_map_name}})
    return [*volumes, *source_volumes(plan.recipe).volumes]


def _workspace(plan: Plan) -> Object:
    workspace = plan.run.spec.workspace
    if workspace.storage_class is None:
        return {"emptyDir": {"sizeLimit": workspace.size}}
    claim: Object = {
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": workspace.storage_class,
        "resources": {"requests": {"storage": workspace.size}},
    }
    return {"ephemeral": {"volumeClaimTemplate": {"spec": claim}}}


def _attached(plan: Plan) -> list[JsonValue]:
    """Recipe and certificate authority, from the pod's annotations; the status server's token; keys."""
    items: list[JsonValue] = [_annotation("recipe.json", labels.RECIPE)]
    found: list[JsonValue] = [{"downwardAPI": {"items": items}}]
    if plan.settings.status_url:
        token: Object = {
            "audience": plan.settings.status_audience,
            "expirationSeconds": TOKEN_SECONDS,
            "path": "token",
        }
        found.append({"serviceAccountToken": token})
        if plan.settings.status_ca:
            items.append(_annotation("status-ca.crt", labels.STATUS_CA))
    if secret := plan.recipe.checkpoints.storage.secret_name:
        keys: list[JsonValue] = [{"key": key, "path": f"{KEYS_FOLDER}/{key}"} for key in KEYS]
        # That it is missing is told by the variables, whose error the kubelet writes into the pod's status.
        found.append({"secret": {"name": secret, "items": keys, "optional": True}})
    return found


def _annotation(path: str, name: str) -> Object:
    return {"path": path, "fieldRef": {"fieldPath": f"metadata.annotations['{name}']"}}


def _mounts(plan: Plan) -> list[JsonValue]:
    mounts: list[JsonValue] = [
        {"name": ATTACHED_VOLUME, "mountPath": ATTACHED, "readOnly": True},
        {"name": "workspace", "mountPath": WORKSPACE},
        {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108
        {"name": "shared-memory", "mountPath": "/dev/shm"},  # noqa: S108
    ]
    if plan.run.spec.workspace.cache_claim_name:
        mounts.append({"name": "cache", "mountPath": CACHE})
    if plan.recipe.checkpoints.storage.ca_config_map_name:
        mounts.append({"name": "storage-ca", "mountPath": STORAGE_CA, "readOnly": True})
    return [*mounts, *source_volumes(plan.recipe).mounts]
