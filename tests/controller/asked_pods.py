"""What a manifest may ask of its pods, one thing at a time: every field, with a value and with null."""

from collections.abc import Iterator
from typing import Any

from kubernetes.client import models

SAFE: dict[str, Any] = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
PREFIXES = ["TRAINJOBS_", "TRAIN", "MY_", "", None]
NAMES_OF_MARKS = [
    "user.trainjobs.dev/team",
    "user.trainjobs.dev",
    "trainjobs.dev/run-uid",
    "training.kubeflow.org/replica-index",
    "kueue.x-k8s.io/queue-name",
    "app.kubernetes.io/managed-by",
    "app",
    "cost-center",
    "cost-center-2",
    "example.com/x",
    "sidecar.istio.io/userVolume",
    "karpenter.sh/do-not-disrupt",
    "seccomp.security.alpha.kubernetes.io/pod",
]
SECURITY: dict[str, list[Any]] = {
    "allowPrivilegeEscalation": [True, False, None],
    "capabilities": [{"add": ["SYS_ADMIN"]}, {"add": []}, {"add": None}, {"drop": ["NET_RAW"]}, {}],
    "privileged": [True, None],
    "procMount": ["Unmasked", None],
    "readOnlyRootFilesystem": [False],
    "runAsGroup": [0],
    "runAsNonRoot": [True, False, None],
    "runAsUser": [0, 2000, None],
    "seLinuxOptions": [{"level": "s0"}],
    "seccompProfile": [{"type": "Unconfined"}, {"type": "Localhost", "localhostProfile": "p"}, None],
    "windowsOptions": [{"hostProcess": True}],
    "fsGroup": [0],
    "supplementalGroups": [[0, 1]],
    "sysctls": [[{"name": "kernel.shm_rmid_forced", "value": "1"}]],
}
OF_AGENT: dict[str, list[Any]] = {
    "command": [["sh"], [], None],
    "args": [["x"], [], None],
    "env": [[{"name": name, "value": "x"}] for name in ("TRAINJOBS_RECIPE", "TRAINJOBS_MORE", "MINE")],
    "envFrom": [[{"prefix": prefix, "secretRef": {"name": "s"}}] for prefix in PREFIXES],
    "terminationMessagePath": ["/etc/trainjobs/recipe.json", None],
    "terminationMessagePolicy": ["File", "FallbackToLogsOnError"],
    "restartPolicy": ["Always", None],
    "workingDir": ["/workspace/code"],
    "image": ["mine:1"],
    "ports": [
        [{"containerPort": 80, **port}]
        for port in ({}, {"hostPort": 80}, {"hostIP": "10.0.0.1"}, {"hostPort": None})
    ],
}
MOUNTED = ["trainjobs", "workspace", "tmp", "shared-memory", "datasets", "injected"]
AFFINE = [{}, {"namespaces": ["x"]}, {"namespaces": []}, {"namespaces": None}, {"namespaceSelector": {}}]


def asked() -> Iterator[tuple[str, dict[str, Any]]]:
    """Specs of runs, each with its name."""
    for part, template in templates():
        yield part, {"podTemplate": template}
    for name in ("TRAINJOBS_STATUS_URL", "MINE"):
        yield f"runtime.env {name}", {"runtime": {"env": [{"name": name, "value": "x"}]}}
    for name in ("batch", "urgent", "system-node-critical"):
        yield f"priority {name}", {"runPolicy": {"priorityClassName": name}}
    for name in ("Volcano", "Coscheduling"):
        yield f"gang {name}", {"runPolicy": {"gangScheduling": {"scheduler": name}}}
    for name in ("trainer", "default", "admin"):
        yield f"account {name}", {"runtime": {"serviceAccountName": name}}


def templates() -> Iterator[tuple[str, dict[str, Any]]]:
    for kind in ("labels", "annotations"):
        for name in NAMES_OF_MARKS:
            for value in ("x", None):
                yield f"{kind} {name} {value}", {"metadata": {kind: {name: value}}}
    for name in wire_names(models.V1ObjectMeta, "labels", "annotations"):
        for value in (None, "x"):
            yield f"metadata {name} {value}", {"metadata": {name: value}}
    yield "status", {"status": {}}
    yield "no status", {"status": None, "metadata": None, "spec": None}
    for name, spec in specs():
        yield name, {"spec": spec}


def specs() -> Iterator[tuple[str, dict[str, Any]]]:
    for name in wire_names(models.V1PodSpec, "containers", "volumes"):
        for value in values_of(models.V1PodSpec, name):
            yield f"pod {name} {value}", {name: value}
    for name, values in SECURITY.items():
        for value in values:
            yield f"pod security {name} {value}", {"securityContext": {name: value}}
    for kind in ("podAffinity", "podAntiAffinity"):
        for said in AFFINE:
            term = {"topologyKey": "zone", **said}
            lists: tuple[dict[str, Any], ...] = (
                {"requiredDuringSchedulingIgnoredDuringExecution": [term]},
                {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 1, "podAffinityTerm": term}]},
            )
            for held in lists:
                yield f"affinity {kind} {held}", {"affinity": {kind: held}}
    yield "affinities of nothing", {"affinity": {"podAffinity": None, "podAntiAffinity": {}}}
    for name, volume in volumes():
        yield f"volume {name}", {"volumes": [{"name": "v", **volume}]}
    for name, group, container in containers():
        yield f"{group} {name}", {group: [container]}


def volumes() -> Iterator[tuple[str, dict[str, Any]]]:
    yield "of the agent", {"name": "trainjobs", "emptyDir": {}}
    for kind in wire_names(models.V1Volume, "name", "projected"):
        for value in ({}, None):
            yield f"{kind} {value}", {kind: value}
    for kind in wire_names(models.V1VolumeProjection):
        yield f"projected {kind}", {"projected": {"sources": [{kind: {}}]}}
    yield "projected of nothing", {"projected": {"sources": None}}


def containers() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Of every container that a manifest may speak of: the agent's, one beside it, and one before it."""
    places = (("containers", "pytorch", {}), ("containers", "side", SAFE), ("initContainers", "first", SAFE))
    for group, called, context in places:
        base = {"name": called, "securityContext": context} if context else {"name": called}
        yield f"{called} itself", group, base
        yield f"{called} without a context", group, {"name": called}
        for name, values in SECURITY.items():
            for value in values:
                yield f"{called} security {name} {value}", group, {
                    **base, "securityContext": {**context, name: value}
                }  # fmt: skip
        for name in wire_names(models.V1Container, "name", "securityContext", "volumeMounts", "resources"):
            held = OF_AGENT.get(name) if called == "pytorch" else None
            for value in held or values_of(models.V1Container, name):
                yield f"{called} {name} {value}", group, {**base, name: value}
        for volume in MOUNTED:
            mount = {"name": volume, "mountPath": "/of/mine"}
            yield f"{called} mounts {volume}", group, {**base, "volumeMounts": [mount]}


def wire_names(model: Any, *without: str) -> list[str]:
    """Names of a type's fields, as JSON has them."""
    return [name for name in model.attribute_map.values() if name not in without]


def values_of(model: Any, name: str) -> list[Any]:
    """Nothing, and something that a field of its type may hold."""
    attribute = next(key for key, value in model.attribute_map.items() if value == name)
    type_ = str(model.openapi_types[attribute])
    simple = {"str": "x", "int": 1, "bool": True, "List[str]": ["x"]}
    if type_ in simple:
        return [None, simple[type_]]
    return [None, [] if type_.startswith("List") else {}]
