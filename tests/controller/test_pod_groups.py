"""PodGroups of gang schedulers: one for each attempt, and what is said where they cannot be made."""

from pathlib import Path
from typing import Any

import pytest

from tests.cluster.harness.parts import GO
from tests.controller.control_plane import ControlPlane
from tests.controller.operator_process import Operator, wait_for
from tests.controller.test_rights import OWN, SERVED, allow
from tests.controller.world import World, run
from tests.harness.go_tools import module_folder

GROUPS = {"Coscheduling": "scheduling.x-k8s.io/v1alpha1", "Volcano": "scheduling.volcano.sh/v1beta1"}
PLUGINS = "sigs.k8s.io/scheduler-plugins"
VOLCANO = Path(__file__).parents[1] / "data" / "volcano-podgroups.yaml"


def install(plane: ControlPlane) -> None:
    """Make both kinds of PodGroup known: one as its project ships it, one as far as it matters here."""
    shipped = module_folder(GO / "training-operator", PLUGINS) / "manifests" / "coscheduling" / "crd.yaml"
    for file in (shipped, VOLCANO):
        plane.kubectl("apply", "--server-side", "-f", str(file))
    plane.kubectl("wait", "--for=jsonpath={.status.conditions}", "crd", "--all", "--timeout=120s")
    plane.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=120s")


@pytest.fixture
def gangs(plane: ControlPlane) -> None:
    """A cluster with both gang schedulers, as far as the operator sees of them."""
    install(plane)


def gang_run(scheduler: str, **more: Any) -> dict[str, Any]:
    policy = {"gangScheduling": {"scheduler": scheduler, **more}}
    return run("chat", topology={"nodes": 2}, runPolicy=policy)


def pod_groups(world: World, scheduler: str) -> list[dict[str, Any]]:
    path = f"/apis/{GROUPS[scheduler]}/namespaces/{world.namespace}/podgroups"
    return world.plane.request("GET", path)["items"]


def names(found: list[dict[str, Any]]) -> list[str]:
    return [one["metadata"]["name"] for one in found]


def may_read_groups(world: World, user: str) -> bool:
    asked = {
        "namespace": world.namespace, "group": "scheduling.x-k8s.io", "resource": "podgroups", "verb": "get",
    }  # fmt: skip
    review = {"spec": {"user": user, "resourceAttributes": asked}}
    body = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", **review}
    answer = world.plane.request("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", body)
    return bool(answer["status"]["allowed"])


@pytest.mark.usefixtures("gangs")
@pytest.mark.parametrize("scheduler", GROUPS)
def test_every_attempt_has_a_pod_group_that_goes_with_it(operator: Operator, world: World, scheduler: str):
    operator.start()
    created = world.create(gang_run(scheduler))
    job = world.wait_for_job("chat")
    (group,) = pod_groups(world, scheduler)
    assert group["spec"]["minMember"] == 2
    assert group["metadata"]["name"] == job["metadata"]["name"]
    assert group["metadata"]["ownerReferences"][0]["uid"] == created["metadata"]["uid"]
    # Before the job, whose pods are made at once.
    assert int(group["metadata"]["resourceVersion"]) < int(job["metadata"]["resourceVersion"])
    for pod in world.make_pods(job):
        signs = {**pod["metadata"]["labels"], **pod["metadata"]["annotations"]}
        own = {key for key, value in signs.items() if value == group["metadata"]["name"]}
        assert (
            own
            == {
                "Coscheduling": {"scheduling.x-k8s.io/pod-group"},
                "Volcano": {"scheduling.k8s.io/group-name"},
            }[scheduler]
        )
        assert pod["spec"]["schedulerName"] in ("volcano", "scheduler-plugins-scheduler")

    # Somebody deletes the job: nothing of that attempt is left when the next one is there.
    world.delete_job(job["metadata"]["name"])
    for pod in world.pods():
        world.delete_pod(pod)
    second = world.wait_for_job("chat", attempt=2)
    wait_for(lambda: names(pod_groups(world, scheduler)) == names([second]), "the first PodGroup to go")

    world.patch("chat", {"spec": {"runPolicy": {"suspend": True}}})
    wait_for(lambda: world.jobs("chat") == [] and pod_groups(world, scheduler) == [], "both to go")


def test_where_the_cluster_has_no_such_scheduler_the_run_says_so_and_waits(
    operator: Operator, world: World, plane: ControlPlane
):
    plane.kubectl("delete", "crd", "podgroups.scheduling.volcano.sh", "--ignore-not-found")
    operator.start()
    world.create(gang_run("Volcano", queue="team"))
    said = world.wait_for_condition("chat", "Accepted", "False")
    assert said["reason"] == "BackendMissing"
    assert (
        "no PodGroups of scheduling.volcano.sh/v1beta1; install Volcano, or suspend the run"
        in said["message"]
    )
    assert operator.metric("trainjobs_reconcile_duration_seconds_count") < 12
    assert (world.status("chat")["phase"], world.jobs()) == ("Pending", [])
    install(plane)
    # Nobody tells of a kind that is new.
    world.wait_for_job("chat", seconds=90)
    (group,) = pod_groups(world, "Volcano")
    assert group["spec"] == {"minMember": 2, "queue": "team"}
    assert world.condition("chat", "Accepted")["status"] == "True"


@pytest.mark.usefixtures("gangs")
def test_a_right_that_the_operator_lacks_is_said_with_what_gives_it(
    operator: Operator, world: World, plane: ControlPlane, tmp_path: Path
):
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "operator"}}
    accounts = f"/api/v1/namespaces/{world.namespace}/serviceaccounts"
    plane.request("POST", accounts, account)
    user = f"system:serviceaccount:{world.namespace}:operator"
    allow(plane, world.namespace, [*SERVED, *OWN], user)
    asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    token = plane.request("POST", f"{accounts}/operator/token", asked)["status"]["token"]
    operator.kubeconfig = plane.write_kubeconfig(tmp_path / "operator.kubeconfig", token)
    operator.start()
    world.create(gang_run("Coscheduling"))
    said = world.wait_for_condition("chat", "Accepted", "False")
    assert said["reason"] == "PolicyDenied"
    assert 'cannot create resource "podgroups"' in said["message"]
    assert said["message"].endswith("chart gives this right by gangSchedulers: [Coscheduling]")
    assert operator.metric("trainjobs_reconcile_duration_seconds_count") < 12
    assert world.jobs() == []
    right = ("scheduling.x-k8s.io", ["podgroups"], ["get", "create", "delete"])
    allow(plane, world.namespace, [*SERVED, *OWN, right], user)
    job = world.wait_for_job("chat", seconds=90)
    assert names(pod_groups(world, "Coscheduling")) == names([job])
    # Taken back, it holds nothing else up: the PodGroup goes with its run.
    allow(plane, world.namespace, [*SERVED, *OWN], user)
    wait_for(lambda: not may_read_groups(world, user), "the right to be gone")
    world.patch("chat", {"spec": {"runPolicy": {"suspend": True}}})
    wait_for(lambda: world.status("chat")["phase"] == "Suspended", "the run to rest")
    assert (world.jobs(), names(pod_groups(world, "Coscheduling"))) == ([], names([job]))
