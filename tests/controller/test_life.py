"""The life of a run on a real API server: created once, followed, finished, deleted."""

import pytest

from tests.controller.operator_process import Operator, wait_for
from tests.controller.world import OUTCOME, RECORD, World, run


def test_an_applied_run_becomes_one_job_a_policy_and_a_status(operator: Operator, world: World):
    operator.start()
    created = world.create(run("chat"))
    job = world.wait_for_job("chat")
    assert job["metadata"]["ownerReferences"][0]["uid"] == created["metadata"]["uid"]
    status = world.status("chat")
    assert status["job"] == {"name": job["metadata"]["name"], "uid": job["metadata"]["uid"]}
    assert status["phase"] == "Pending"
    assert world.condition("chat", "Accepted")["status"] == "True"
    assert len(world.jobs()) == 1
    policies = world.plane.request(
        "GET", f"/apis/networking.k8s.io/v1/namespaces/{world.namespace}/networkpolicies"
    )["items"]
    assert [one["metadata"]["ownerReferences"][0]["name"] for one in policies] == ["chat"]
    wait_for(lambda: world.events("chat") == ["AttemptCreated"], "the event")


def test_a_run_that_is_left_alone_is_written_no_more(operator: Operator, world: World):
    operator.start(resyncSeconds=1)
    world.create(run("chat"))
    world.wait_for_job("chat")
    world.start_pods(world.make_pods(world.wait_for_job("chat")))
    world.wait_for_condition("chat", "Running")
    looks = operator.metric("trainjobs_reconcile_duration_seconds_count")
    before = world.get("chat")["metadata"]["resourceVersion"]
    wait_for(
        lambda: operator.metric("trainjobs_reconcile_duration_seconds_count") >= looks + 3, "three more looks"
    )
    assert world.get("chat")["metadata"]["resourceVersion"] == before


def test_a_run_succeeds_when_its_pods_have(operator: Operator, world: World):
    operator.start()
    world.create(run("chat", topology={"nodes": 2}))
    world.succeed("chat")
    world.wait_for_condition("chat", "Succeeded")
    status = world.status("chat")
    assert status["phase"] == "Succeeded"
    assert status["artifacts"]["model"] == "s3://runs/model"
    assert world.condition("chat", "Finished")["status"] == "True"
    wait_for(lambda: world.events("chat")[-1:] == ["Succeeded"], "the last event")
    # What has ended by itself stays for its logs.
    assert len(world.jobs()) == 1


def test_a_failed_attempt_is_followed_by_another_and_the_first_job_stays(operator: Operator, world: World):
    operator.start()
    world.create(run("chat"))
    job = world.wait_for_job("chat")
    pods = world.make_pods(job)
    world.start_pods(pods)
    world.wait_for_condition("chat", "Running")
    record = {"attempt": 1, "nodeRank": 0, "exitCode": 23, "reason": "TrainingError", "message": "boom"}
    world.end_pod(pods[0], 23, record)
    world.wait_for_job("chat", attempt=2)
    status = world.status("chat")
    assert (status["attempt"], status["restarts"], status["failure"]["reason"]) == (2, 1, "TrainingError")
    assert "TrainingError" in world.events("chat")


def test_kubectl_describe_tells_the_story_from_top_to_bottom(operator: Operator, world: World):
    operator.start()
    pods = world.begin(run("chat"))
    world.delete_pod(pods[0])
    world.wait_for_job("chat", attempt=2, seconds=30)
    world.patch("chat", {"spec": {"runPolicy": {"suspend": True}}})
    wait_for(lambda: world.events("chat")[-1] == "Suspended", "the last event")
    told = world.plane.kubectl("-n", world.namespace, "describe", "sftrun", "chat").partition("\nEvents:")[2]
    reasons = [line.split()[1] for line in told.splitlines() if line.startswith(("  Normal", "  Warning"))]
    assert reasons == world.events("chat")
    assert [one for one in reasons if one not in ("Scheduled", "Starting")] == [
        "AttemptCreated", "PodLost", "AttemptCreated", "Suspended",
    ]  # fmt: skip


def test_a_permanent_failure_ends_the_run_with_reason_and_last_lines(operator: Operator, world: World):
    operator.start()
    world.create(run("chat"))
    pods = world.make_pods(world.wait_for_job("chat"))
    world.start_pods(pods)
    record = {
        "attempt": 1, "nodeRank": 0, "exitCode": 11, "reason": "InvalidData",
        "message": "rows.jsonl line 17: no text", "lastLines": "one\ntwo",
    }  # fmt: skip
    world.end_pod(pods[0], 11, record)
    failed = world.wait_for_condition("chat", "Failed")
    assert failed["reason"] == "InvalidData"
    failure = world.status("chat")["failure"]
    assert failure["message"] == "node 0 on machine: rows.jsonl line 17: no text"
    assert failure["lastLines"] == "one\ntwo"
    assert len(world.jobs("chat")) == 1


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (
            {"conditions": [{"type": "PodScheduled", "status": "False", "message": "0/3 nodes have a GPU"}]},
            "0/3 nodes have a GPU",
        ),
        (
            {
                "conditions": [{"type": "PodScheduled", "status": "True"}],
                "containerStatuses": [
                    {
                        "name": "pytorch",
                        "image": "x",
                        "imageID": "",
                        "ready": False,
                        "restartCount": 0,
                        "state": {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}},
                    }
                ],
            },
            "ImagePullBackOff no such image",
        ),
    ],
)
def test_what_keeps_a_pod_from_running_is_said_in_the_others_own_words(
    operator: Operator, world: World, status: dict, expected: str
):
    operator.start()
    world.create(run("chat"))
    pods = world.make_pods(world.wait_for_job("chat"), machine=None)
    world.pod_status(pods[0], phase="Pending", **status)
    wait_for(
        lambda: any(
            expected in world.condition("chat", type_).get("message", "")
            for type_ in ("Scheduled", "Running")
        ),
        "the message",
    )


def test_suspending_a_run_deletes_its_job_and_resuming_starts_the_next_attempt(
    operator: Operator, world: World
):
    operator.start()
    world.begin(run("chat"))
    world.patch("chat", {"spec": {"runPolicy": {"suspend": True}}})
    wait_for(lambda: world.jobs("chat") == [], "the job to be deleted")
    # Pods that nobody collects here are deleted by the operator itself, once their job is gone.
    wait_for(
        lambda: all("deletionTimestamp" in pod["metadata"] for pod in world.pods()), "the pods to be told"
    )
    for pod in world.pods():
        world.delete_pod(pod)
    wait_for(lambda: world.status("chat").get("phase") == "Suspended", "the run to rest")
    world.patch("chat", {"spec": {"runPolicy": {"suspend": False}}})
    world.wait_for_job("chat", attempt=2)
    assert world.events("chat")[-1] in ("AttemptCreated", "Resumed")


def test_a_deleted_pod_ends_the_attempt(operator: Operator, world: World):
    operator.start()
    pods = world.begin(run("chat"))
    world.delete_pod(pods[0])
    world.wait_for_job("chat", attempt=2)
    status = world.status("chat")
    assert (status["infrastructureRestarts"], status["restarts"]) == (1, 0)


def test_a_job_that_somebody_deletes_is_not_created_again_under_its_name(operator: Operator, world: World):
    operator.start()
    world.create(run("chat"))
    job = world.wait_for_job("chat")
    world.delete_job(job["metadata"]["name"])
    world.wait_for_job("chat", attempt=2)
    assert [one["metadata"]["name"].rpartition("-")[2] for one in world.jobs("chat")] == ["2"]


def test_a_run_that_is_deleted_and_made_again_gets_a_job_of_its_own(operator: Operator, world: World):
    operator.start()
    world.create(run("chat"))
    first = world.wait_for_job("chat")
    world.delete("chat")
    world.create(run("chat"))
    second = wait_for(
        lambda: next(
            (one for one in world.jobs("chat") if one["metadata"]["uid"] != first["metadata"]["uid"]), None
        ),
        "the new run's job",
    )
    assert second["metadata"]["name"] != first["metadata"]["name"]


RESTRICTED = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
PROXY = {"name": "proxy", "image": "proxy:1", "securityContext": RESTRICTED}
SIDECAR = {"spec": {"containers": [PROXY]}}


def test_a_sidecar_that_outlives_a_run_holds_no_devices_after_its_end(operator: Operator, world: World):
    operator.start()
    pods = world.begin(run("chat", podTemplate=SIDECAR))
    # Its agent has ended a while ago, by the clock of the machine: nobody has to wait here.
    world.end_pod(pods[0], 0, {**RECORD, "outcome": OUTCOME}, outlived=True, ago=60)
    world.wait_for_condition("chat", "Succeeded")
    wait_for(lambda: not world.jobs("chat"), "the job, and with it its pods, to be deleted")
    assert world.status("chat")["artifacts"]["model"] == "s3://runs/model"


def test_no_attempt_starts_beside_the_sidecar_of_the_one_before(operator: Operator, world: World):
    operator.start()
    pods = world.begin(run("chat", podTemplate=SIDECAR))
    record = {**RECORD, "exitCode": 23, "reason": "TrainingError", "message": "boom"}
    world.end_pod(pods[0], 23, record, outlived=True, ago=60)
    wait_for(lambda: not world.jobs("chat"), "the first job to be deleted")
    looks = operator.metric("trainjobs_reconcile_duration_seconds_count")
    world.pod_status(pods[0], message="a change that wakes the operator")
    wait_for(lambda: operator.metric("trainjobs_reconcile_duration_seconds_count") > looks, "one more look")
    assert world.status("chat")["failure"]["reason"] == "TrainingError"
    assert not world.jobs("chat")
    world.delete_pod(pods[0])
    world.wait_for_job("chat", attempt=2)
