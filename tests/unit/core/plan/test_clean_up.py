"""The clean-up of a run's data is a pod like the run's own, where it goes and what it reaches."""

from typing import Any

from tests.unit.core.plan.builders import PLATFORM, a_run
from trainjobs.api.status import StorageStatus
from trainjobs.core.plan.clean_up import clean_up_job

SETTINGS = PLATFORM.model_copy(
    update={
        "env": [
            {"name": "HTTPS_PROXY", "value": "http://proxy"},
            {"name": "SSL_CERT_FILE", "value": "/ca/ca.crt"},
        ],
        "pod_templates": [
            {
                "spec": {
                    "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists"}],
                    "imagePullSecrets": [{"name": "all"}],
                    "volumes": [
                        {"name": "ca", "configMap": {"name": "company"}},
                        {"name": "fabric", "hostPath": {"path": "/dev/infiniband"}},
                    ],
                    "containers": [
                        {
                            "name": "pytorch",
                            "securityContext": {"capabilities": {"add": ["IPC_LOCK"]}},
                            "resources": {"limits": {"nvidia.com/gpu": 8}},
                            "volumeMounts": [
                                {"name": "ca", "mountPath": "/ca"},
                                {"name": "fabric", "mountPath": "/dev/infiniband"},
                            ],
                        }
                    ],
                }
            }
        ],
    }
)

STORAGE = StorageStatus(uri="s3://store/runs/ml/RewardModelRun/ratings-1a2b3c4d", secret_name="keys")


def job(**spec: Any) -> Any:
    return clean_up_job(a_run(**spec), STORAGE, SETTINGS, "operator:1")


def pod(**spec: Any) -> Any:
    return job(**spec)["spec"]["template"]["spec"]


def test_it_queues_where_the_run_queued() -> None:
    assert job(runPolicy={"queueName": "team"})["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "team"
    assert "kueue.x-k8s.io/queue-name" not in job()["metadata"]["labels"]


def test_it_goes_to_the_nodes_of_the_run_and_pulls_as_the_run() -> None:
    own = {"nodeSelector": {"zone": "a"}, "tolerations": [{"key": "team", "operator": "Exists"}]}

    found = pod(podTemplate={"spec": own}, runtime={"imagePullSecrets": [{"name": "registry"}]})

    assert found["nodeSelector"] == {"zone": "a"}
    assert [one["key"] for one in found["tolerations"]] == ["nvidia.com/gpu", "team"]
    assert {one["name"] for one in found["imagePullSecrets"]} == {"all", "registry"}


def test_it_reaches_storage_by_the_same_proxies_and_authorities() -> None:
    found = pod(runtime={"env": [{"name": "NO_PROXY", "value": ".svc"}, {"name": "OTHER", "value": "x"}]})
    (container,) = found["containers"]

    told = {one["name"]: one.get("value") for one in container["env"]}
    assert (told["HTTPS_PROXY"], told["SSL_CERT_FILE"], told["NO_PROXY"]) == (
        "http://proxy",
        "/ca/ca.crt",
        ".svc",
    )
    assert "OTHER" not in told
    assert container["volumeMounts"] == [{"name": "ca", "mountPath": "/ca"}]
    assert found["volumes"] == [{"name": "ca", "configMap": {"name": "company"}}]


def test_it_has_no_devices_and_no_rights_of_training() -> None:
    (container,) = pod()["containers"]

    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert "nvidia.com/gpu" not in str(container["resources"])


def test_a_template_that_cannot_be_merged_holds_up_no_deletion() -> None:
    found = pod(podTemplate={"spec": {"imagePullSecrets": ["registry"]}})

    assert [one["key"] for one in found["tolerations"]] == ["nvidia.com/gpu"]


def test_what_it_deletes_and_by_which_keys_is_what_was_pinned() -> None:
    elsewhere = {"storage": {"uri": "s3://elsewhere", "secretName": "other"}}
    (container,) = pod(checkpoints=elsewhere)["containers"]

    assert container["command"][-1] == STORAGE.uri
    keys = {
        one["name"]: one["valueFrom"]["secretKeyRef"]["name"]
        for one in container["env"]
        if "valueFrom" in one
    }
    assert keys["AWS_ACCESS_KEY_ID"] == "keys"


def test_a_claim_is_mounted_to_be_written() -> None:
    storage = StorageStatus(uri="pvc://disk/ml/ratings", ca_config_map_name="authority")
    found = clean_up_job(a_run(), storage, SETTINGS, "operator:1")["spec"]["template"]["spec"]

    assert {"name": "storage", "mountPath": "/pvc/disk"} in found["containers"][0]["volumeMounts"]
    assert {"name": "storage", "persistentVolumeClaim": {"claimName": "disk"}} in found["volumes"]
    assert {"name": "storage-ca", "configMap": {"name": "authority"}} in found["volumes"]


def test_nothing_of_the_spec_that_cannot_be_resolved_holds_it_up() -> None:
    # Neither batch nor argument can be resolved, and no attempt of these can be planned.
    training = {"globalBatchSize": 7, "batchSizePerDevice": 2, "extraArguments": {"output_dir": "/x"}}

    assert job(training=training)["spec"]["template"]["spec"]["containers"][0]["image"] == "operator:1"


def test_what_runs_may_not_have_is_no_right_of_their_clean_up_either() -> None:
    # Changed after the last start, none of this was ever judged.
    refused = {"runtime": {"serviceAccountName": "admin"}, "runPolicy": {"priorityClassName": "system-x"}}
    listed = {"runtime": {"serviceAccountName": "trainer"}, "runPolicy": {"priorityClassName": "batch"}}
    term = {"topologyKey": "zone", "namespaceSelector": {}}
    abroad = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}

    assert {"serviceAccountName", "priorityClassName"}.isdisjoint(pod(**refused))
    assert pod(**listed)["serviceAccountName"] == "trainer"
    assert pod(**listed)["priorityClassName"] == "batch"
    assert "affinity" not in pod(podTemplate={"spec": {"affinity": abroad}})
    assert pod(podTemplate={"spec": {"affinity": abroad, "nodeSelector": {"zone": "a"}}})["nodeSelector"]
