"""`deletionPolicy: Delete`: the data goes first, then the run, and nobody is held up for nothing."""

import contextlib
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator

from tests.controller.operator_process import Operator, wait_for
from tests.controller.world import World, run, stamp
from tests.harness.versitygw import S3Server, s3  # noqa: F401  # a fixture

FINALIZER = "trainjobs.dev/stored-data"
DELETE = {"deletionPolicy": "Delete"}


def clean_up_jobs(world: World) -> list[dict]:
    return world.plane.request("GET", f"/apis/batch/v1/namespaces/{world.namespace}/jobs")["items"]


def gone(world: World, name: str) -> bool:
    listed = world.plane.request("GET", f"/apis/trainjobs.dev/v1alpha1/namespaces/{world.namespace}/sftruns")
    return name not in [one["metadata"]["name"] for one in listed["items"]]


def finish_job(world: World, job: dict, type_: str) -> None:
    name = job["metadata"]["name"]
    path = f"/apis/batch/v1/namespaces/{world.namespace}/jobs/{name}/status"
    now = "2026-01-01T00:00:00Z"
    before = {"Complete": "SuccessCriteriaMet", "Failed": "FailureTarget"}[type_]
    conditions = [
        {"type": one, "status": "True", "reason": "X", "message": "said so", "lastTransitionTime": now}
        for one in (before, type_)
    ]
    status: dict = {"conditions": conditions, "startTime": now}
    if type_ == "Complete":
        status |= {"completionTime": now, "succeeded": 1}
    world.plane.request("PATCH", path, {"status": status}, "application/merge-patch+json")


def started_and_deleted(world: World) -> None:
    pods = world.begin(run("chat", runPolicy=DELETE))
    assert world.get("chat")["metadata"]["finalizers"] == [FINALIZER]
    world.delete("chat")
    wait_for(lambda: world.jobs("chat") == [], "the job to be deleted")
    assert clean_up_jobs(world) == []
    for pod in pods:
        world.delete_pod(pod)


def test_the_stored_data_goes_before_the_run(operator: Operator, world: World):
    operator.start(image="operator:1")
    started_and_deleted(world)
    job = wait_for(lambda: clean_up_jobs(world), "the clean-up")[0]
    container = job["spec"]["template"]["spec"]["containers"][0]
    assert container["image"] == "operator:1"
    keys = {
        one["name"]: one["valueFrom"]["secretKeyRef"]["name"]
        for one in container["env"]
        if "valueFrom" in one
    }
    assert keys["AWS_ACCESS_KEY_ID"] == "s3-keys"
    assert container["command"][-1].startswith(f"s3://runs/{world.namespace}/SFTRun/chat-")
    assert not gone(world, "chat")
    finish_job(world, job, "Complete")
    wait_for(lambda: gone(world, "chat"), "the run to go")
    assert world.events("chat")[-3:] == ["Stopping", "CleaningUp", "CleanedUp"]


def test_a_clean_up_that_fails_is_said_and_can_be_tried_again(operator: Operator, world: World):
    operator.start(image="operator:1")
    started_and_deleted(world)
    job = wait_for(lambda: clean_up_jobs(world), "the clean-up")[0]
    finish_job(world, job, "Failed")
    wait_for(lambda: "said so" in world.condition("chat", "CleanedUp").get("message", ""), "the message")
    uid = job["metadata"]["uid"]
    world.plane.request(
        "DELETE", f"/apis/batch/v1/namespaces/{world.namespace}/jobs/{job['metadata']['name']}",
        {"propagationPolicy": "Background"},
    )  # fmt: skip
    again = wait_for(
        lambda: [one for one in clean_up_jobs(world) if one["metadata"]["uid"] != uid], "another clean-up"
    )[0]
    finish_job(world, again, "Complete")
    wait_for(lambda: gone(world, "chat"), "the run to go")


def test_a_namespace_that_is_being_deleted_is_not_held_up(operator: Operator, world: World):
    operator.start(image="operator:1")
    world.create(run("chat", runPolicy=DELETE))
    world.start_pods(world.make_pods(world.wait_for_job("chat")))
    world.wait_for_condition("chat", "Running")
    world.plane.request("DELETE", f"/api/v1/namespaces/{world.namespace}")
    world.delete("chat")
    wait_for(lambda: gone(world, "chat"), "the run to go")
    assert clean_up_jobs(world) == []
    folder = f"s3://runs/{world.namespace}/SFTRun/chat-"
    told = [line for line in operator.log.read_text().splitlines() if "DataLeft" in line]
    assert len(told) == 1
    assert folder in told[0]
    assert "the namespace is being deleted" in told[0]
    assert operator.metric("trainjobs_events_lost_total") == 0


def test_a_run_that_never_ran_and_one_that_keeps_its_data_go_at_once(operator: Operator, world: World):
    operator.start(image="operator:1")
    world.create(run("waiting", runPolicy=DELETE, baseModel={"fromRun": {"kind": "SFTRun", "name": "x"}}))
    world.wait_for_condition("waiting", "DependenciesReady", "False")
    assert "finalizers" not in world.get("waiting")["metadata"]
    world.create(run("kept"))
    world.wait_for_job("kept")
    assert "finalizers" not in world.get("kept")["metadata"]
    for name in ("waiting", "kept"):
        world.delete(name)
        wait_for(lambda name=name: gone(world, name), "the run to go")
    assert clean_up_jobs(world) == []


def test_what_the_clean_up_runs_empties_the_folder_and_no_other(
    operator: Operator,
    world: World,
    s3: S3Server,  # noqa: F811
):
    operator.start(image="operator:1")
    created = world.create(run("chat", runPolicy=DELETE))
    folder = f"{world.namespace}/SFTRun/chat-{created['metadata']['uid'].replace('-', '')[:8]}"
    started = world.wait_for_job("chat")
    assert folder in str(started["spec"])
    s3.make_bucket("runs")
    inside = s3.folder / "runs" / folder / "checkpoints" / "step-00000001-a0001"
    beside = s3.folder / "runs" / f"{folder}0"
    for place in (inside, beside):
        place.mkdir(parents=True)
        (place / "weights").write_text("x")
        (place / "MANIFEST.json").write_text("{}")
    world.delete("chat")
    job = wait_for(lambda: clean_up_jobs(world), "the clean-up")[0]
    command = job["spec"]["template"]["spec"]["containers"][0]["command"]
    assert command[0] == "python"
    done = subprocess.run(
        [sys.executable, *command[1:]], env={**os.environ, **s3.environment}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert shlex.quote(command[-1]) in done.stdout
    assert not inside.exists() or not any(inside.iterdir())
    assert (beside / "weights").exists()


def test_a_refused_run_goes_at_once(operator: Operator, world: World):
    # No storage is known: nothing of the run can be planned.
    operator.start(image="operator:1", defaults={"image": "trainer:1"})
    body = run("chat", runPolicy=DELETE)
    body["metadata"]["finalizers"] = [FINALIZER]
    world.create(body)
    world.wait_for_condition("chat", "Failed")
    world.delete("chat")
    wait_for(lambda: gone(world, "chat"), "the run to go")


@contextlib.contextmanager
def crd_of_a_newer_version(world: World) -> Iterator[None]:
    """For the length of a block the API server takes what this version cannot read."""
    plane = world.plane
    crd = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/sftruns.trainjobs.dev"
    before, newer = plane.request("GET", crd), plane.request("GET", crd)
    properties = newer["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
    properties["spec"]["properties"]["runPolicy"]["properties"]["onOutOfMemory"]["enum"].append("Pray")
    plane.request("PUT", crd, newer)
    try:
        yield
    finally:
        before["metadata"]["resourceVersion"] = plane.request("GET", crd)["metadata"]["resourceVersion"]
        plane.request("PUT", crd, before)


def make_unreadable(world: World, name: str) -> None:
    def taken() -> bool:
        with contextlib.suppress(OSError):
            world.patch(name, {"spec": {"runPolicy": {"onOutOfMemory": "Pray"}}})
            return True
        return False

    wait_for(taken, "the API server to take what this version cannot read")
    wait_for(
        lambda: "cannot read the run" in world.condition(name, "Accepted").get("message", ""), "the refusal"
    )


def test_a_run_that_cannot_be_read_goes_with_its_data(operator: Operator, world: World):
    operator.start(image="operator:1")
    pods = world.begin(run("chat", runPolicy=DELETE, topology={"nodes": 2}))
    pinned = world.status("chat")["storage"]["uri"]
    with crd_of_a_newer_version(world):
        make_unreadable(world, "chat")
        world.delete("chat")
        wait_for(lambda: world.jobs("chat") == [], "the job to be deleted")
        for pod in pods:
            world.delete_pod(pod)
        job = wait_for(lambda: clean_up_jobs(world), "the clean-up")[0]
        assert job["spec"]["template"]["spec"]["containers"][0]["command"][-1] == pinned
        finish_job(world, job, "Complete")
        wait_for(lambda: gone(world, "chat"), "the run to go")


def test_a_run_that_cannot_be_read_holds_up_no_namespace(operator: Operator, world: World):
    operator.start(image="operator:1")
    world.begin(run("chat", runPolicy=DELETE))
    with crd_of_a_newer_version(world):
        make_unreadable(world, "chat")
        world.plane.request("DELETE", f"/api/v1/namespaces/{world.namespace}")
        world.delete("chat")
        wait_for(lambda: gone(world, "chat"), "the run to go")
    assert clean_up_jobs(world) == []


def test_a_clean_up_that_a_quota_refuses_is_said_and_given_up(operator: Operator, world: World):
    operator.start(image="operator:1")
    pods = world.begin(run("chat", runPolicy=DELETE))
    quota = {"metadata": {"name": "none"}, "spec": {"hard": {"count/jobs.batch": "0"}}}
    quota |= {"apiVersion": "v1", "kind": "ResourceQuota", "status": {"hard": {"count/jobs.batch": "0"}}}
    path = f"/api/v1/namespaces/{world.namespace}/resourcequotas"
    world.plane.request("POST", path, quota)
    quota["status"]["used"] = {"count/jobs.batch": "0"}
    world.plane.request("PATCH", f"{path}/none/status", quota, "application/merge-patch+json")
    world.delete("chat")
    wait_for(lambda: world.jobs("chat") == [], "the job to be deleted")
    for pod in pods:
        world.delete_pod(pod)
    said = world.wait_for_condition("chat", "CleanedUp", "False")
    assert (said["reason"], "exceeded quota: none" in said["message"]) == ("CleanUpHindered", True)
    assert "; change what refuses it, and it is made" in said["message"]
    assert "set spec.runPolicy.deletionPolicy to Retain" in said["message"]
    assert "CleanUpHindered" in world.events("chat")
    assert not gone(world, "chat")
    # An hour has passed.
    conditions = world.status("chat")["conditions"]
    for one in conditions:
        if one["type"] == "CleanedUp":
            one["lastTransitionTime"] = stamp(ago=3700)
    world.patch_status("chat", {"conditions": conditions})
    wait_for(lambda: gone(world, "chat"), "the run to go")
    assert world.events("chat")[-1] == "DataLeft"
    told = [line for line in operator.log.read_text().splitlines() if "DataLeft" in line]
    assert "exceeded quota: none" in told[0]


def test_a_clean_up_whose_pod_is_refused_or_finds_no_machine_is_said(operator: Operator, world: World):
    operator.start(image="operator:1")
    started_and_deleted(world)
    job = wait_for(lambda: clean_up_jobs(world), "the clean-up")[0]
    name = job["metadata"]["name"]
    event = {
        "apiVersion": "v1", "kind": "Event", "metadata": {"name": "x"}, "reason": "FailedCreate",
        "type": "Warning", "message": "pods are forbidden: exceeded quota: team",
        "involvedObject": {"apiVersion": "batch/v1", "kind": "Job", "name": name,
                           "namespace": world.namespace, "uid": job["metadata"]["uid"]},
    }  # fmt: skip
    world.plane.request("POST", f"/api/v1/namespaces/{world.namespace}/events", event)
    said = world.wait_for_condition("chat", "CleanedUp", "False")
    assert f"Job {name} has no pod: pods are forbidden: exceeded quota: team; raise" in said["message"]
    template = job["spec"]["template"]
    pod = {
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "labels": template["metadata"]["labels"]},
        "spec": {**template["spec"], "serviceAccountName": "default"},
    }  # fmt: skip
    made = world.plane.request("POST", f"/api/v1/namespaces/{world.namespace}/pods", pod)
    unschedulable = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
    world.pod_status(made, phase="Pending", conditions=[{**unschedulable, "message": "0/3 nodes"}])
    wait_for(
        lambda: "no machine takes it: 0/3 nodes" in world.condition("chat", "CleanedUp")["message"],
        "the scheduler's words",
    )
    world.pod_status(made, phase="Running")
    world.wait_for_condition("chat", "CleanedUp", "Unknown")


def test_data_may_stay_after_all(operator: Operator, world: World):
    operator.start(image="")
    started_and_deleted(world)
    said = world.wait_for_condition("chat", "CleanedUp", "False")
    assert "set `image` in its settings" in said["message"]
    world.patch("chat", {"spec": {"runPolicy": {"deletionPolicy": "Retain"}}})
    wait_for(lambda: gone(world, "chat"), "the run to go")
    assert world.events("chat")[-1] == "DataLeft"
