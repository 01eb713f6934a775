"""The chart's admission policy on a real API server: what the operator would refuse, it refuses at once."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.charts.rendering import of_kind, render
from tests.controller.asked_pods import asked
from tests.controller.control_plane import ControlPlane
from tests.controller.operator_process import wait_for
from tests.controller.world import World, run
from trainjobs.api.runs import BY_KIND
from trainjobs.core.plan.render import refusals
from trainjobs.core.settings import Settings

SAFE = {"securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}}
TEMPLATE: dict[str, Any] = {
    "spec": {
        "volumes": [{"name": "datasets", "persistentVolumeClaim": {"claimName": "datasets"}}],
        "containers": [{"name": "pytorch", "volumeMounts": [{"name": "datasets", "mountPath": "/datasets"}]}],
    }
}
LISTS: dict[str, Any] = {
    "serviceAccounts": ["trainer"],
    "priorityClasses": ["batch"],
    "allowedPodLabels": ["cost-center", "example.com/"],
}


def pod(**spec: Any) -> dict[str, Any]:
    return {"podTemplate": {"spec": spec}}


def agent(**container: Any) -> dict[str, Any]:
    return pod(containers=[{"name": "pytorch", **container}])


def side(**container: Any) -> dict[str, Any]:
    return pod(containers=[{"name": "side", "image": "x", **SAFE, **container}])


def marks(**metadata: Any) -> dict[str, Any]:
    return {"podTemplate": {"metadata": metadata}}


ACCEPTED: dict[str, dict[str, Any]] = {
    "nothing": {},
    "labels of its own": marks(
        labels={"user.trainjobs.dev/team": "a", "cost-center": "7", "example.com/x": "y"}
    ),
    "annotations of its own": marks(annotations={"karpenter.sh/do-not-disrupt": "true"}),
    "places": pod(
        tolerations=[{"operator": "Exists"}], nodeSelector={"pool": "x"}, terminationGracePeriodSeconds=60
    ),
    "a volume": pod(
        volumes=[{"name": "own", "projected": {"sources": [{"secret": {"name": "s"}}]}}],
        containers=[{"name": "pytorch", "volumeMounts": [{"name": "own", "mountPath": "/own"}]}],
    ),
    "planned volumes": side(
        volumeMounts=[{"name": "workspace", "mountPath": "/w"}, {"name": "tmp", "mountPath": "/tmp"}]
    ),
    "variables": agent(env=[{"name": "MINE", "value": "x"}], envFrom=[{"secretRef": {"name": "s"}}]),
    "its user": pod(securityContext={"runAsUser": 2000, "seccompProfile": {"type": "RuntimeDefault"}}),
    "a listed account": {**pod(serviceAccountName="trainer"), "runPolicy": {"priorityClassName": "batch"}},
}
REFUSED: dict[str, dict[str, Any]] = {
    "a volume that istio brings in": marks(annotations={"sidecar.istio.io/userVolume": "[]"}),
    "a Service's label": marks(labels={"app": "payments"}),
    "the operator's label": marks(labels={"trainjobs.dev/run-uid": "x"}),
    "a name": marks(name="x"),
    "the host's network": pod(hostNetwork=True),
    "a machine": pod(nodeName="x"),
    "a token": pod(automountServiceAccountToken=True),
    "root": pod(securityContext={"runAsUser": 0}),
    "no seccomp": pod(securityContext={"seccompProfile": {"type": "Unconfined"}}),
    "the host's files": pod(volumes=[{"name": "h", "hostPath": {"path": "/"}}]),
    "a projected token": pod(
        volumes=[{"name": "t", "projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}}]
    ),
    "the agent's volume": pod(volumes=[{"name": "trainjobs", "emptyDir": {}}]),
    "the agent's token": side(volumeMounts=[{"name": "trainjobs", "mountPath": "/peek"}]),
    "a volume of others": agent(volumeMounts=[{"name": "injected", "mountPath": "/host"}]),
    "a hook": agent(lifecycle={"postStart": {"exec": {"command": ["sh"]}}}),
    "privileges": side(securityContext={**SAFE["securityContext"], "privileged": True}),
    "capabilities": agent(securityContext={"capabilities": {"add": ["SYS_ADMIN"]}}),
    "privileges before": pod(initContainers=[{"name": "i", "securityContext": {"privileged": True}}]),
    "the host's port": agent(ports=[{"containerPort": 80, "hostPort": 80}]),
    "another command": agent(command=["sh"]),
    "another last word": agent(terminationMessagePath="/etc/trainjobs/recipe.json"),
    "the agent's variable": agent(env=[{"name": "TRAINJOBS_ATTEMPT", "value": "9"}]),
    "the agent's variables": agent(envFrom=[{"prefix": "TRAINJOBS_", "secretRef": {"name": "s"}}]),
    "the system's priority": {"runPolicy": {"priorityClassName": "system-node-critical"}},
    "a priority": {"runPolicy": {"priorityClassName": "urgent"}},
    "a priority of the pod": pod(priorityClassName="urgent"),
    "an account": {"runtime": {"command": ["train.py"], "serviceAccountName": "admin"}},
    "an account of the pod": pod(serviceAccountName="admin"),
    "code from a model": {"baseModel": {"uri": "hf://org/model", "trustRemoteCode": True}},
}


@pytest.fixture
def guarded(plane: ControlPlane, world: World) -> Iterator[World]:
    """A namespace whose lists the policy has, once the API server goes by it."""
    values = {
        "admissionPolicy": {"enabled": True},
        "namespaces": {world.namespace: {**LISTS, "podTemplate": TEMPLATE}},
        "gangSchedulers": ["Volcano"],
        "watch": {"namespaces": [world.namespace]},
        "fullnameOverride": world.namespace,
    }
    kinds = ("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding")
    objects = of_kind(render(values), *kinds)
    assert [one["kind"] for one in objects] == list(kinds)
    plane.apply(*objects)
    wait_for(lambda: tried(world, REFUSED["the host's network"]), "the policy to count")
    yield world
    for one in objects:
        plane.kubectl("delete", one["kind"], one["metadata"]["name"])


def tried(world: World, spec: dict[str, Any]) -> str:
    """What the API server says of a run; nothing where it takes it."""
    try:
        world.try_create(run("tried", **spec))
    except RuntimeError as error:
        return str(error)
    return ""


def test_the_api_server_refuses_what_the_operator_would_and_takes_all_else(
    guarded: World, plane: ControlPlane
):
    for name, spec in ACCEPTED.items():
        assert (name, tried(guarded, spec)) == (name, "")
        assert (name, refusals(as_read(spec), platform())) == (name, ())
    for name, spec in REFUSED.items():
        said = tried(guarded, spec)
        assert "ValidatingAdmissionPolicy" in said, (name, said)
        assert "resulted in error" not in said, (name, said)
        assert refusals(as_read(spec), platform()) != (), name
    # Another namespace's lists are its own, and there is no policy for one that is not served.
    plane.kubectl("create", "namespace", f"{guarded.namespace}-free")
    assert tried(World(plane, f"{guarded.namespace}-free"), REFUSED["a priority"]) == ""


def test_both_judge_alike_whatever_is_asked(guarded: World) -> None:
    for name, spec in asked():
        said = tried(guarded, spec)
        judged = refusals(as_read(spec), platform())
        assert judged or not said, f"{name}: the policy refuses what the operator takes: {said}"
        denied = [str(one) for one in judged if one.reason == "PolicyDenied"]
        # What a null takes away of the plan, only who has the plan can say.
        assert said or not denied or takes_away(spec), f"{name}: the policy takes what {denied} refuses"


def takes_away(asked_for: Any) -> bool:
    if isinstance(asked_for, dict):
        return any(map(takes_away, asked_for.values()))
    return any(map(takes_away, asked_for)) if isinstance(asked_for, list) else asked_for is None


def test_a_run_from_before_the_policy_can_still_be_let_go(plane: ControlPlane, world: World):
    world.create(run("old", **REFUSED["the host's network"]))
    values = {"admissionPolicy": {"enabled": True}, "fullnameOverride": world.namespace}
    objects = of_kind(render(values), "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding")
    plane.apply(*objects)
    try:
        wait_for(lambda: tried(world, REFUSED["the host's network"]), "the policy to count")
        world.patch("old", {"metadata": {"finalizers": []}})
        world.delete("old")
    finally:
        for one in objects:
            plane.kubectl("delete", one["kind"], one["metadata"]["name"])


def platform() -> Settings:
    return Settings.model_validate(
        {
            "storageUri": "s3://runs",
            "image": "x",
            "trustRemoteCode": False,
            "podTemplates": [TEMPLATE],
            "gangSchedulers": ["Volcano"],
            **LISTS,
        }
    )


def as_read(spec: dict[str, Any]) -> Any:
    body = run("tried", **spec)
    meta = {**body["metadata"], "namespace": "ml", "uid": "1a2b3c4d-5e6f-4a1b-8c2d-3e4f5a6b7c8d"}
    return BY_KIND[body["kind"]].model_validate({"metadata": meta, "spec": body["spec"]})
