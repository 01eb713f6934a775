"""The rights that the operator needs: with these it does all of its work."""

import json
from pathlib import Path

from tests.controller.control_plane import ControlPlane
from tests.controller.operator_process import Operator, wait_for
from tests.controller.world import World, run

RUNS = ["rewardmodelruns", "sftruns", "rlhfruns", "pretrainruns"]
SERVED: list[tuple[str, list[str], list[str]]] = [
    ("trainjobs.dev", RUNS, ["get", "list", "watch", "patch"]),
    ("trainjobs.dev", [f"{one}/status" for one in RUNS], ["patch"]),
    ("kubeflow.org", ["pytorchjobs"], ["get", "list", "watch", "create", "delete"]),
    ("", ["pods"], ["get", "list", "watch", "delete", "patch"]),
    ("", ["serviceaccounts"], ["get"]),
    ("networking.k8s.io", ["networkpolicies"], ["get", "create"]),
    ("batch", ["jobs"], ["get", "list", "watch", "create"]),
    ("events.k8s.io", ["events"], ["create", "patch", "list"]),
]
"""In every namespace that is served."""
OWN: list[tuple[str, list[str], list[str]]] = [
    ("coordination.k8s.io", ["leases"], ["get", "create", "update"]),
    ("discovery.k8s.io", ["endpointslices"], ["get", "create", "update", "delete"]),
]
"""In the operator's own namespace."""


def allow(
    plane: ControlPlane, namespace: str, rules: list[tuple[str, list[str], list[str]]], user: str
) -> None:
    """A Role with these rules, for the user."""
    metadata = {"name": "operator", "namespace": namespace}
    group = "rbac.authorization.k8s.io"
    subject = {"kind": "User", "name": user, "apiGroup": group}
    plane.apply(
        {
            "apiVersion": f"{group}/v1", "kind": "Role", "metadata": metadata,
            "rules": [
                {"apiGroups": [api], "resources": kinds, "verbs": verbs} for api, kinds, verbs in rules
            ],
        },
        {
            "apiVersion": f"{group}/v1", "kind": "RoleBinding", "metadata": metadata, "subjects": [subject],
            "roleRef": {"apiGroup": group, "kind": "Role", "name": "operator"},
        },
    )  # fmt: skip


def test_roles_alone_are_enough_and_nothing_is_forbidden(
    operator: Operator, world: World, plane: ControlPlane, tmp_path: Path
):
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "operator"}}
    plane.request("POST", f"/api/v1/namespaces/{world.namespace}/serviceaccounts", account)
    allow(plane, world.namespace, [*SERVED, *OWN], f"system:serviceaccount:{world.namespace}:operator")
    body = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"expirationSeconds": 3600},
    }
    path = f"/api/v1/namespaces/{world.namespace}/serviceaccounts/operator/token"
    token = plane.request("POST", path, body)["status"]["token"]
    operator.kubeconfig = plane.write_kubeconfig(tmp_path / "operator.kubeconfig", token)
    operator.start(leaderElection={}, image="operator:1")
    pods = world.begin(run("chat", runPolicy={"deletionPolicy": "Delete"}))
    wait_for(lambda: "Training" in world.events("chat") or "Starting" in world.events("chat"), "the story")
    world.delete_pod(pods[0])
    job = world.wait_for_job("chat", attempt=2)
    pods = world.make_pods(job)
    world.start_pods(pods)
    world.delete("chat")
    wait_for(lambda: world.jobs("chat") == [], "the job to be deleted")
    wait_for(
        lambda: all("deletionTimestamp" in pod["metadata"] for pod in world.pods()), "the pods to be told"
    )
    for pod in pods:
        world.delete_pod(pod)
    jobs = f"/apis/batch/v1/namespaces/{world.namespace}/jobs"
    wait_for(lambda: plane.request("GET", jobs)["items"], "the clean-up")
    assert operator.terminate() == 0
    log = operator.log.read_text()
    assert "forbidden" not in log.lower(), [
        json.loads(line) for line in log.splitlines() if "forbidden" in line
    ]
