"""A job is created once, whoever tries, and another's object is never taken for one's own."""

import signal

from tests.controller.control_plane import ControlPlane
from tests.controller.operator_process import Operator, wait_for
from tests.controller.world import World, run


def job_body(world: World, name: str, owner: dict | None) -> dict:
    metadata: dict = {"name": name, "namespace": world.namespace}
    if owner is not None:
        metadata["ownerReferences"] = [
            {
                "apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": owner["metadata"]["name"],
                "uid": owner["metadata"]["uid"], "controller": True,
            }
        ]  # fmt: skip
    container = {"name": "pytorch", "image": "x"}
    workers = {"replicas": 1, "template": {"spec": {"containers": [container]}}}
    return {
        "apiVersion": "kubeflow.org/v1", "kind": "PyTorchJob", "metadata": metadata,
        "spec": {"pytorchReplicaSpecs": {"Worker": workers}},
    }  # fmt: skip


def post_job(world: World, body: dict) -> dict:
    return world.plane.request(
        "POST", f"/apis/kubeflow.org/v1/namespaces/{world.namespace}/pytorchjobs", body
    )


def test_two_operators_that_race_create_one_job_for_each_run(operator: Operator, world: World, tmp_path):
    other = Operator(operator.plane, operator.namespace, tmp_path / "other")
    operator.launch()
    other.launch()
    try:
        wait_for(lambda: operator.ready() and other.ready(), "both to be ready")
        created = [world.create(run(f"chat-{number}"))["metadata"]["name"] for number in range(8)]
        for name in created:
            world.wait_for_job(name)
        owners = [job["metadata"]["labels"]["trainjobs.dev/run-name"] for job in world.jobs()]
        assert sorted(owners) == sorted(created)
        assert all(world.status(name)["attempt"] == 1 for name in created)
    finally:
        other.kill()


def test_a_job_that_was_created_before_the_status_was_written_is_adopted(operator: Operator, world: World):
    created = world.create(run("chat"))
    name = f"chat-{created['metadata']['uid'][:5]}-1"
    # As if the operator had ended just after it, and somebody had taken the labels off since.
    there = post_job(world, job_body(world, name, created))
    operator.start()
    wait_for(lambda: world.status("chat").get("job"), "the job to be adopted")
    assert world.status("chat")["job"]["uid"] == there["metadata"]["uid"]
    looks = operator.metric("trainjobs_reconcile_duration_seconds_count")
    world.patch("chat", {"metadata": {"annotations": {"touched": "yes"}}})
    wait_for(lambda: operator.metric("trainjobs_reconcile_duration_seconds_count") > looks, "another look")
    assert world.status("chat")["attempt"] == 1
    assert len(world.jobs()) == 1


def test_a_job_of_somebody_else_under_the_name_is_left_alone_and_the_number_skipped(
    operator: Operator, world: World
):
    created = world.create(run("chat"))
    name = f"chat-{created['metadata']['uid'][:5]}-1"
    stranger = post_job(world, job_body(world, name, None))
    operator.start()
    job = world.wait_for_job("chat", attempt=2)
    assert job["metadata"]["name"].endswith("-2")
    left = next(one for one in world.jobs() if one["metadata"]["name"] == name)
    assert left["metadata"]["uid"] == stranger["metadata"]["uid"]
    assert left["metadata"]["resourceVersion"] == stranger["metadata"]["resourceVersion"]


def test_an_operator_that_is_killed_at_any_moment_takes_up_what_it_left(operator: Operator, world: World):
    operator.start()
    names = [f"chat-{number}" for number in range(6)]
    for name in names:
        world.create(run(name))
        operator.send(signal.SIGKILL)
        operator.wait()
        operator.launch()
    for name in names:
        world.wait_for_job(name)
    assert len(world.jobs()) == len(names)
    pods = world.make_pods(world.wait_for_job(names[0]))
    world.start_pods(pods)
    world.wait_for_condition(names[0], "Running")
    operator.kill()
    # What happens while nobody looks is seen afterwards.
    record = {"attempt": 1, "nodeRank": 0, "exitCode": 0, "reason": "Succeeded"}
    outcome = {"step": 100, "totalSteps": 100, "artifacts": {"model": "s3://runs/m"}}
    world.end_pod(pods[0], 0, {**record, "outcome": outcome})
    operator.start()
    world.wait_for_condition(names[0], "Succeeded")


def test_a_status_from_an_old_backup_does_not_reuse_an_attempts_number(operator: Operator, world: World):
    operator.start()
    world.begin(run("chat"))
    operator.kill()
    world.patch_status("chat", {"attempt": 0, "job": None, "startedPods": None, "phase": None})
    operator.start()
    wait_for(lambda: world.status("chat")["attempt"] == 1, "the attempt to be taken up")
    assert len(world.jobs()) == 1


def test_another_writer_of_the_status_is_not_overwritten_blindly(operator: Operator, world: World):
    operator.start()
    world.create(run("chat"))
    job = world.wait_for_job("chat")
    for number in range(30):
        world.patch("chat", {"metadata": {"annotations": {"touched": str(number)}}})
        if number == 10:
            pods = world.make_pods(job)
            world.start_pods(pods)
    world.wait_for_condition("chat", "Running")
    assert world.get("chat")["metadata"]["annotations"]["touched"] == "29"


def test_what_is_deleted_leaves_no_series_behind(operator: Operator, world: World):
    operator.start()
    world.create(run("chat"))
    world.wait_for_job("chat")
    wait_for(lambda: 'run="chat"' in operator.get("/metrics")[1], "the run's series")
    world.delete("chat")
    wait_for(lambda: 'run="chat"' not in operator.get("/metrics")[1], "them to go")


def test_sigterm_ends_the_operator_in_order(operator: Operator, plane: ControlPlane):
    operator.start()
    assert operator.get("/healthz") == (200, "ok\n")
    assert operator.terminate() == 0


def test_a_networkpolicy_without_its_owner_is_said_and_asked_again_ever_later(
    operator: Operator, world: World
):
    created = world.create(run("chat"))
    path = f"/apis/networking.k8s.io/v1/namespaces/{world.namespace}/networkpolicies"
    name = f"chat-{created['metadata']['uid'][:5]}"
    body = {
        "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": name},
        "spec": {"podSelector": {}},
    }  # fmt: skip
    world.plane.request("POST", path, body)
    operator.start()
    said = world.wait_for_condition("chat", "Accepted", "False")
    assert f"NetworkPolicy {name}: it exists and is not controlled by the run" in said["message"]
    assert operator.metric("trainjobs_reconcile_duration_seconds_count") < 12
    world.plane.request("DELETE", f"{path}/{name}")
    world.wait_for_job("chat", seconds=60)
