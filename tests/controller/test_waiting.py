"""Runs that wait for others, and runs that the operator does not take."""

from tests.controller.control_plane import ControlPlane
from tests.controller.operator_process import Operator, wait_for
from tests.controller.world import World, run

FROM_CHAT = {"fromRun": {"kind": "SFTRun", "name": "chat"}}


def second(**spec) -> dict:
    return run("second", baseModel=FROM_CHAT, **spec)


def test_a_run_waits_for_the_one_it_starts_from_and_starts_by_itself(operator: Operator, world: World):
    operator.start()
    world.create(second())
    waiting = world.wait_for_condition("second", "DependenciesReady", "False")
    assert waiting["reason"] == "DependencyMissing"
    world.create(run("chat"))
    wait_for(
        lambda: world.condition("second", "DependenciesReady").get("reason") == "WaitingForDependency",
        "the other to be seen",
    )
    assert world.jobs("second") == []
    assert world.status("second")["phase"] == "Waiting"
    world.succeed("chat", model="s3://runs/chat/model")
    job = world.wait_for_job("second")
    assert world.status("second")["dependencies"] == [
        {"kind": "SFTRun", "name": "chat", "checkpoint": "Best", "uri": "s3://runs/chat/model"}
    ]
    recipe = job["spec"]["pytorchReplicaSpecs"]["Worker"]["template"]["metadata"]["annotations"]
    assert "s3://runs/chat/model" in recipe["trainjobs.dev/recipe"]


def test_a_run_fails_when_the_one_it_waits_for_is_deleted(operator: Operator, world: World):
    operator.start()
    world.create(run("chat"))
    world.create(second())
    world.wait_for_condition("second", "DependenciesReady", "False")
    wait_for(
        lambda: world.condition("second", "DependenciesReady").get("reason") == "WaitingForDependency",
        "the other to be seen",
    )
    world.delete("chat")
    assert world.wait_for_condition("second", "Failed")["reason"] == "DependencyMissing"


def test_a_run_fails_when_the_one_it_waits_for_has_failed(operator: Operator, world: World):
    operator.start()
    world.create(run("chat"))
    world.create(second())
    world.wait_for_condition("second", "DependenciesReady", "False")
    pods = world.make_pods(world.wait_for_job("chat"))
    world.start_pods(pods)
    world.end_pod(pods[0], 11, {"attempt": 1, "nodeRank": 0, "exitCode": 11, "reason": "InvalidData"})
    assert world.wait_for_condition("second", "Failed")["reason"] == "DependencyFailed"


def test_what_the_platform_forbids_is_refused_in_words(operator: Operator, world: World):
    operator.start()
    volume = {"name": "host", "hostPath": {"path": "/"}}
    world.create(run("chat", podTemplate={"spec": {"volumes": [volume]}}))
    failed = world.wait_for_condition("chat", "Failed")
    assert failed["reason"] == "PolicyDenied"
    assert "hostPath" in world.condition("chat", "Accepted")["message"]
    assert world.jobs() == []


def test_what_this_version_cannot_train_is_refused_before_anything_is_held(operator: Operator, world: World):
    operator.start()
    world.create(run("chat", runtime={}))
    failed = world.wait_for_condition("chat", "Failed")
    accepted = world.condition("chat", "Accepted")
    assert (failed["reason"], accepted["status"], accepted["reason"]) == (
        "Unsupported",
        "False",
        "Unsupported",
    )
    assert accepted["message"].startswith("kind: SFTRun is not trained by this version")
    assert world.jobs() == []


def test_an_object_that_this_version_cannot_read_is_told_so(
    operator: Operator, world: World, plane: ControlPlane
):
    operator.start()
    crd = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/sftruns.trainjobs.dev"
    before = plane.request("GET", crd)
    loose = plane.request("GET", crd)
    spec = loose["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    # As a newer version's definition would be.
    spec["properties"]["invention"] = {"type": "string"}
    try:
        plane.request("PUT", crd, loose)
        newer = run("new", invention="x")
        wait_for(lambda: "invention" in world.try_create(newer)["spec"], "the new definition to hold")
        world.create(newer)
        said = world.wait_for_condition("new", "Accepted", "False")
        assert said["reason"] == "Unsupported"
        assert "spec.invention" in said["message"]
        assert world.jobs() == []
    finally:
        version = plane.request("GET", crd)["metadata"]["resourceVersion"]
        before["metadata"]["resourceVersion"] = version
        plane.request("PUT", crd, before)


def test_a_quota_is_said_in_a_condition_and_asked_again_now_and_then(operator: Operator, world: World):
    operator.start()
    quota = {
        "apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "none"},
        "spec": {"hard": {"count/pytorchjobs.kubeflow.org": "0"}},
    }  # fmt: skip
    path = f"/api/v1/namespaces/{world.namespace}/resourcequotas"
    world.plane.request("POST", path, quota)
    # As the quota controller would, which is not here.
    status = {"hard": quota["spec"]["hard"], "used": quota["spec"]["hard"]}
    world.plane.request("PATCH", f"{path}/none/status", {"status": status}, "application/merge-patch+json")
    world.create(run("chat"))
    said = world.wait_for_condition("chat", "Accepted", "False")
    assert "exceeded quota" in said["message"]
    looks = operator.metric("trainjobs_reconcile_duration_seconds_count")
    assert looks < 12
    assert world.status("chat")["phase"] == "Pending"
    # Nobody tells of a quota that is lifted.
    world.plane.request("DELETE", f"{path}/none")
    world.wait_for_job("chat", seconds=60)
    assert world.condition("chat", "Accepted")["status"] == "True"


def test_what_the_api_server_refuses_for_good_ends_the_run_with_its_words(
    operator: Operator, world: World, plane: ControlPlane
):
    crd = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/pytorchjobs.kubeflow.org"
    before, narrow = plane.request("GET", crd), plane.request("GET", crd)
    spec = narrow["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    # As a backend of another version may be.
    spec["x-kubernetes-validations"] = [{"rule": "self.nprocPerNode != '7'", "message": "seven is too many"}]
    unlucky = run("chat", topology={"processesPerNode": 7})
    try:
        plane.request("PUT", crd, narrow)
        known = "/openapi/v3/apis/kubeflow.org/v1"
        wait_for(lambda: "seven is too many" in str(plane.request("GET", known)), "the narrower definition")
        operator.start()
        world.create(unlucky)
        failed = world.wait_for_condition("chat", "Failed")
        assert failed["reason"] == "InvalidSpec"
        assert "seven is too many" in failed["message"]
        assert "seven is too many" in world.condition("chat", "Accepted")["message"]
        assert world.status("chat")["failure"]["message"].startswith(
            "the API server refuses PyTorchJob chat-"
        )
        assert world.jobs() == []
    finally:
        before["metadata"]["resourceVersion"] = plane.request("GET", crd)["metadata"]["resourceVersion"]
        plane.request("PUT", crd, before)


def test_without_pytorchjobs_runs_wait_and_go_on_when_they_are_installed(
    operator: Operator, world: World, plane: ControlPlane
):
    crd = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/pytorchjobs.kubeflow.org"
    plane.request("DELETE", crd)
    try:
        wait_for(lambda: "pytorchjobs" not in plane.kubectl("get", "crd"), "the definition to go")
        operator.start()
        world.create(run("chat"))
        assert world.wait_for_condition("chat", "Accepted", "False")["reason"] == "BackendMissing"
    finally:
        plane.install_backend()
    # It ends, for whoever keeps it running to start it anew: only then it watches them.
    assert operator.wait() == 1
    operator.start()
    world.wait_for_job("chat")


def test_a_service_account_that_is_missing_is_said_and_waited_for(operator: Operator, world: World):
    defaults = {"image": "trainer:1", "storageUri": "s3://runs", "serviceAccounts": ["s3-writer"]}
    operator.start(defaults=defaults)
    world.create(run("chat", runtime={"command": ["train.py"], "serviceAccountName": "s3-writer"}))
    said = world.wait_for_condition("chat", "Accepted", "False")
    assert "there is no ServiceAccount s3-writer" in said["message"]
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "s3-writer"}}
    world.plane.request("POST", f"/api/v1/namespaces/{world.namespace}/serviceaccounts", account)
    world.patch("chat", {"metadata": {"annotations": {"look": "again"}}})
    world.wait_for_job("chat")


def test_an_attempt_that_cannot_be_planned_any_more_ends_the_run_with_its_reason(
    operator: Operator, world: World
):
    operator.start()
    # Half of the batch is twice the passes, which are more than a step may have.
    training = {"maxSteps": 10, "batchSizePerDevice": 2, "gradientAccumulationSteps": 40000}
    (pod,) = world.begin(run("chat", training=training, runPolicy={"onOutOfMemory": "HalveBatch"}))
    record = {"attempt": 1, "nodeRank": 0, "exitCode": 21, "reason": "AcceleratorOutOfMemory"}
    world.end_pod(pod, 21, record)
    said = world.wait_for_condition("chat", "Failed")
    assert said["reason"] == "InvalidSpec"
    assert "80000 forward passes per optimiser step" in said["message"]
    assert len(world.jobs("chat")) == 1


def test_a_model_that_no_pod_can_read_is_said_of_the_run_that_starts_from_it(
    operator: Operator, world: World
):
    operator.start()
    world.create(run("base"))
    world.succeed("base", model="file://./model")
    world.wait_for_condition("base", "Succeeded")
    world.create(run("next", baseModel={"fromRun": {"kind": "SFTRun", "name": "base"}}))
    said = world.wait_for_condition("next", "Failed")
    assert "file://./model" in said["message"]
    assert world.jobs("next") == []
