"""Writes that fail: how an attempt ended is written before what shows it is deleted."""

import urllib.error

from tests.controller.operator_process import Operator, wait_for
from tests.controller.world import World, run

ADMISSION = "/apis/admissionregistration.k8s.io/v1"


class StatusesRefused:
    """For the length of a block, the API server takes no status of a run in the namespace."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.name = f"no-status-{world.namespace}"

    def __enter__(self) -> None:
        rule = {
            "apiGroups": ["trainjobs.dev"], "apiVersions": ["v1alpha1"], "operations": ["UPDATE"],
            "resources": ["sftruns/status"],
        }  # fmt: skip
        here = f"request.namespace != '{self.world.namespace}'"
        policy = {
            "matchConstraints": {"resourceRules": [rule]},
            "validations": [{"expression": here, "message": "not now"}],
        }
        binding = {"policyName": self.name, "validationActions": ["Deny"]}
        for plural, kind, spec in (
            ("validatingadmissionpolicies", "ValidatingAdmissionPolicy", policy),
            ("validatingadmissionpolicybindings", "ValidatingAdmissionPolicyBinding", binding),
        ):
            body = {
                "apiVersion": "admissionregistration.k8s.io/v1", "kind": kind,
                "metadata": {"name": self.name}, "spec": spec,
            }  # fmt: skip
            self.world.plane.request("POST", f"{ADMISSION}/{plural}", body)
        wait_for(self.refuses, "the policy to hold")

    def __exit__(self, *_: object) -> None:
        for plural in ("validatingadmissionpolicybindings", "validatingadmissionpolicies"):
            self.world.plane.request("DELETE", f"{ADMISSION}/{plural}/{self.name}")
        wait_for(lambda: not self.refuses(), "the policy to go")

    def refuses(self) -> bool:
        try:
            self.world.patch_status("chat", {"observedGeneration": 1})
        except urllib.error.HTTPError as error:
            return "not now" in error.read().decode()
        return False


def test_a_reason_is_not_lost_while_the_status_cannot_be_written(operator: Operator, world: World):
    operator.start()
    pods = world.begin(run("chat", topology={"nodes": 2}))
    with StatusesRefused(world):
        failed = operator.metric("trainjobs_workqueue_retries_total")
        record = {"attempt": 1, "nodeRank": 0, "exitCode": 11, "reason": "InvalidData", "message": "line 7"}
        world.end_pod(pods[0], 11, record)
        wait_for(
            lambda: operator.metric("trainjobs_workqueue_retries_total") > failed + 1,
            "the status to be refused, and again",
        )
        # The other node still runs: nobody may take the job away before the reason is written.
        assert len(world.jobs("chat")) == 1
    assert world.wait_for_condition("chat", "Failed")["reason"] == "InvalidData"
    assert world.status("chat")["failure"]["message"].endswith("line 7")
    wait_for(lambda: world.jobs("chat") == [], "the job to be stopped")


def test_another_default_storage_changes_nothing_for_a_run_that_has_started(operator: Operator, world: World):
    operator.start()
    pods = world.begin(run("chat"))
    there = world.status("chat")["storage"]
    assert there["uri"].startswith(f"s3://runs/{world.namespace}/SFTRun/chat-")
    assert there["secretName"] == "s3-keys"
    operator.kill()
    operator.start(defaults={"image": "trainer:1", "storageUri": "s3://elsewhere", "storageRegion": "far"})
    record = {"attempt": 1, "nodeRank": 0, "exitCode": 23, "reason": "TrainingError"}
    world.end_pod(pods[0], 23, record)
    second = str(world.wait_for_job("chat", attempt=2)["spec"])
    assert there["uri"] in second
    assert "s3-keys" in second
    assert "elsewhere" not in second
    assert world.status("chat")["storage"] == there
