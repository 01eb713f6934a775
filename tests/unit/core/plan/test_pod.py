"""The pod of a node and the objects around it."""

import json
from typing import Any

import pytest

from tests.unit.core.plan.builders import PLATFORM, UID, a_plan, a_run
from trainjobs.api import labels
from trainjobs.core.plan.network_policy import network_policy
from trainjobs.core.plan.pod import pod_template
from trainjobs.core.plan.pytorchjob import backend
from trainjobs.core.plan.render import render, rendering
from trainjobs.core.recipe.model import Recipe
from trainjobs.errors import InvalidRecipe


def job(**arguments: Any) -> dict:
    return rendering(a_plan(**arguments)).objects[1]


def pod(**arguments: Any) -> dict:
    return job(**arguments)["spec"]["pytorchReplicaSpecs"]["Worker"]["template"]


def container(**arguments: Any) -> dict:
    return pod(**arguments)["spec"]["containers"][0]


def environment(**arguments: Any) -> dict[str, Any]:
    return {one["name"]: one.get("value", one.get("valueFrom")) for one in container(**arguments)["env"]}


def test_a_job_has_workers_only_and_retries_nothing_itself() -> None:
    spec = job(topology={"nodes": 3})["spec"]

    assert list(spec["pytorchReplicaSpecs"]) == ["Worker"]
    assert spec["pytorchReplicaSpecs"]["Worker"]["replicas"] == 3
    assert spec["pytorchReplicaSpecs"]["Worker"]["restartPolicy"] == "Never"
    assert spec["runPolicy"] == {"backoffLimit": 0, "cleanPodPolicy": "Running"}
    assert "elasticPolicy" not in spec


def test_a_queued_job_is_created_suspended_under_its_queue() -> None:
    queued = job(queued=True, runPolicy={"queueName": "team"})

    assert queued["spec"]["runPolicy"]["suspend"] is True
    assert queued["metadata"]["labels"][labels.KUEUE_QUEUE] == "team"


def test_two_attempts_have_jobs_of_two_names() -> None:
    assert [job(attempt=number)["metadata"]["name"] for number in (1, 2)] == [
        "ratings-1a2b3-1",
        "ratings-1a2b3-2",
    ]


def test_the_longest_names_still_fit_a_host_name() -> None:
    run = a_run()
    run = run.model_copy(update={"metadata": run.metadata.model_copy(update={"name": "r" * 40})})

    assert len(f"{a_plan(run, attempt=9999).job_name}-worker-999") <= 63


def test_everything_is_controlled_by_the_run() -> None:
    for made in render(a_plan()):
        assert made["metadata"]["ownerReferences"] == [
            {
                "apiVersion": "trainjobs.dev/v1alpha1",
                "kind": "RewardModelRun",
                "name": "ratings",
                "uid": UID,
                "controller": True,
                "blockOwnerDeletion": True,
            }
        ]


def test_the_pod_carries_its_recipe_as_compact_json_that_the_agent_reads_back() -> None:
    plan = a_plan(runtime={"command": ["训练.py"]})

    text = pod(run=plan.run)["metadata"]["annotations"][labels.RECIPE]

    assert Recipe.model_validate_json(text) == plan.recipe
    assert text == json.dumps(json.loads(text), ensure_ascii=False, separators=(",", ":"))


def test_the_recipe_is_read_from_the_annotation_not_from_the_environment() -> None:
    volume = next(one for one in pod()["spec"]["volumes"] if one["name"] == "trainjobs")
    item = volume["projected"]["sources"][0]["downwardAPI"]["items"][0]

    assert item == {
        "path": "recipe.json",
        "fieldRef": {"fieldPath": "metadata.annotations['trainjobs.dev/recipe']"},
    }
    assert environment()["TRAINJOBS_RECIPE"] == "/etc/trainjobs/recipe.json"


def test_the_agent_is_told_its_place_by_the_downward_api() -> None:
    told = environment(topology={"nodes": 2}, attempt=4)

    assert told["TRAINJOBS_ATTEMPT"] == "4"
    assert told["TRAINJOBS_NODE_RANK"]["fieldRef"]["fieldPath"] == (
        "metadata.labels['training.kubeflow.org/replica-index']"
    )
    assert told["TRAINJOBS_POD_UID"]["fieldRef"]["fieldPath"] == "metadata.uid"
    assert told["TRAINJOBS_MASTER_ADDRESS"] == "ratings-1a2b3-4-worker-0"


def test_what_the_agent_is_told_is_what_it_understands() -> None:
    from trainjobs.agent.options import parse_options

    settings = PLATFORM.model_copy(update={"status_url": "https://status", "status_ca": "PEM"})
    told = environment(settings=settings, workspace={"cacheClaimName": "cache"})
    given = {name: value if isinstance(value, str) else "0" for name, value in told.items()}

    options = parse_options([], given)

    assert (str(options.cache), options.status_url, options.log_format) == (
        "/cache",
        "https://status",
        "json",
    )


def test_the_pod_fits_a_restricted_namespace() -> None:
    spec = pod()["spec"]

    assert spec["automountServiceAccountToken"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container()["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def test_without_a_status_server_there_is_no_token() -> None:
    assert "serviceAccountToken" not in json.dumps(pod())


def test_with_a_status_server_the_token_is_for_it_alone() -> None:
    settings = PLATFORM.model_copy(update={"status_url": "https://status", "status_audience": "me"})
    volume = next(one for one in pod(settings=settings)["spec"]["volumes"] if one["name"] == "trainjobs")

    assert volume["projected"]["sources"][1] == {
        "serviceAccountToken": {"audience": "me", "expirationSeconds": 3600, "path": "token"}
    }


def test_keys_of_the_storage_come_from_the_secret_and_never_by_value() -> None:
    told = environment(
        checkpoints={"storage": {"uri": "s3://bucket/p", "secretName": "keys", "caConfigMapName": "ca"}}
    )

    assert told["AWS_SECRET_ACCESS_KEY"] == {"secretKeyRef": {"name": "keys", "key": "AWS_SECRET_ACCESS_KEY"}}
    assert told["AWS_CA_BUNDLE"] == "/etc/trainjobs-storage-ca/ca.crt"


def test_the_platforms_secret_is_for_the_platforms_storage_only() -> None:
    settings = PLATFORM.model_copy(update={"storage_secret_name": "platform"})

    assert "AWS_ACCESS_KEY_ID" in environment(settings=settings)
    assert "AWS_ACCESS_KEY_ID" not in environment(
        settings=settings, checkpoints={"storage": {"uri": "s3://own/p"}}
    )


def test_a_value_with_a_dollar_sign_means_itself() -> None:
    assert environment(runtime={"env": [{"name": "X", "value": "$(HOME) $5"}]})["X"] == "$$(HOME) $$5"


def test_a_variable_of_the_manifest_takes_the_place_of_a_planned_one() -> None:
    names = [one["name"] for one in container(runtime={"env": [{"name": "HOME", "value": "/x"}]})["env"]]

    assert names.count("HOME") == 1


def test_claims_are_read_only_but_the_one_that_is_written_to() -> None:
    mounts = {
        one["mountPath"]: one.get("readOnly", False)
        for one in container(
            dataset={
                "train": "pvc://data/a.jsonl",
                "eval": "configMap://rows/b.jsonl",
                "test": "pvc://data/c",
            },
            checkpoints={"storage": {"uri": "pvc://results/runs"}},
        )["volumeMounts"]
    }

    assert mounts["/pvc/data"] is True
    assert mounts["/pvc/results"] is False
    assert mounts["/configmaps/rows"] is True


def test_a_claim_that_is_read_and_written_is_mounted_once() -> None:
    found = pod(dataset={"train": "pvc://all/a.jsonl"}, checkpoints={"storage": {"uri": "pvc://all/runs"}})
    claims = [one for one in found["spec"]["volumes"] if "persistentVolumeClaim" in one]

    assert len(claims) == 1
    assert {"name": "claim-0", "mountPath": "/pvc/all"} in found["spec"]["containers"][0]["volumeMounts"]


def test_whole_devices_that_are_only_requested_stand_among_the_limits_too() -> None:
    assert container(resources={"requests": {"cpu": 2, "nvidia.com/gpu": 4}})["resources"] == {
        "requests": {"cpu": 2, "nvidia.com/gpu": 4, "ephemeral-storage": "50Gi"},
        "limits": {"nvidia.com/gpu": 4},
    }


def test_only_several_nodes_are_spread() -> None:
    assert "topologySpreadConstraints" not in pod()["spec"]
    assert pod(topology={"nodes": 2})["spec"]["topologySpreadConstraints"][0]["topologyKey"] == (
        "kubernetes.io/hostname"
    )


def test_only_pods_of_the_run_reach_the_rendezvous() -> None:
    policy: Any = network_policy(a_run())
    own = {"matchLabels": {labels.RUN_UID: UID}}

    assert policy["spec"]["podSelector"] == own
    assert policy["spec"]["ingress"][0] == {"from": [{"podSelector": own}]}
    assert [one["ports"] for one in policy["spec"]["ingress"][1:]] == [[{"protocol": "TCP", "port": 9464}]]
    assert policy["spec"]["policyTypes"] == ["Ingress"]


def test_the_network_policy_selects_the_pods_of_every_attempt() -> None:
    policy: Any = network_policy(a_run())
    wanted = policy["spec"]["podSelector"]["matchLabels"]

    for attempt in (1, 2):
        assert wanted.items() <= pod(attempt=attempt)["metadata"]["labels"].items()


def test_the_network_policy_exists_before_the_pods() -> None:
    assert [one["kind"] for one in render(a_plan())] == ["NetworkPolicy", "PyTorchJob"]


def test_another_backend_says_only_rank_and_first_node() -> None:
    from trainjobs.core.plan.environment import Backend

    plan = a_plan()
    ours = pod_template(plan, backend(plan))
    other = pod_template(plan, Backend("batch.kubernetes.io/job-completion-index", "ratings-0"))

    assert json.dumps(other).replace("batch.kubernetes.io/job-completion-index", "RANK").replace(
        '"ratings-0"', "FIRST"
    ) == json.dumps(ours).replace("training.kubeflow.org/replica-index", "RANK").replace(
        '"ratings-1a2b3-1-worker-0"', "FIRST"
    )


def test_what_is_not_allowed_is_not_rendered() -> None:
    with pytest.raises(InvalidRecipe, match=r"spec\.podTemplate\.spec\.hostNetwork"):
        render(a_plan(podTemplate={"spec": {"hostNetwork": True}}))
