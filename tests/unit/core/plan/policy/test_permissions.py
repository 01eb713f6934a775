"""What the platform permits by name."""

from tests.unit.core.plan.builders import PLATFORM
from tests.unit.core.plan.policy.asking import SPEC, fields, of_pod


def test_system_priorities_are_refused_where_they_are_asked_for() -> None:
    assert fields(runPolicy={"priorityClassName": "system-node-critical"}) == [
        "spec.runPolicy.priorityClassName"
    ]
    assert of_pod(priorityClassName="system-cluster-critical") == [f"{SPEC}.priorityClassName"]
    assert of_pod(priorityClassName="batch") == []


def test_only_listed_priorities_are_allowed() -> None:
    lists = PLATFORM.model_copy(update={"priority_classes": ["batch"]})
    none = PLATFORM.model_copy(update={"priority_classes": []})
    system = PLATFORM.model_copy(update={"priority_classes": ["system-node-critical", "*"]})

    assert fields(lists, runPolicy={"priorityClassName": "batch"}) == []
    assert fields(lists, runPolicy={"priorityClassName": "urgent"}) == ["spec.runPolicy.priorityClassName"]
    assert fields(lists, podTemplate={"spec": {"priorityClassName": "urgent"}}) == [
        f"{SPEC}.priorityClassName"
    ]
    assert fields(none) == []
    assert fields(none, runPolicy={"priorityClassName": "batch"}) == ["spec.runPolicy.priorityClassName"]
    assert fields(system, runPolicy={"priorityClassName": "system-node-critical"}) != []
    # One that is allowed does not speak for the other that takes its place.
    both = {"podTemplate": {"spec": {"priorityClassName": "batch"}}}
    assert fields(lists, runPolicy={"priorityClassName": "urgent"}, **both) == [
        "spec.runPolicy.priorityClassName"
    ]


def test_only_listed_service_accounts_are_allowed() -> None:
    assert fields(runtime={"serviceAccountName": "trainer"}) == []
    assert fields(runtime={"serviceAccountName": "default"}) == []
    assert fields(runtime={"serviceAccountName": "admin"}) == ["spec.runtime.serviceAccountName"]
    assert of_pod(serviceAccountName="admin") == [f"{SPEC}.serviceAccountName"]


def test_the_operators_variables_cannot_be_given_by_the_manifest() -> None:
    assert fields(runtime={"env": [{"name": "TRAINJOBS_STATUS_URL", "value": "http://x"}]})[0] == (
        "spec.runtime.env[0]"
    )


def test_code_from_models_is_refused_where_the_platform_forbids_it() -> None:
    forbids = PLATFORM.model_copy(update={"trust_remote_code": False})
    model = {"uri": "s3://models/base", "trustRemoteCode": True}

    assert fields(baseModel=model) == []
    assert fields(forbids, baseModel=model) == ["spec.baseModel.trustRemoteCode"]
    own = {"command": ["train.py"]}
    algorithm = {"type": "DPO", "dpo": {"reference": model}}
    assert fields(forbids, kind="RLHFRun", algorithm=algorithm, runtime=own) == [
        "spec.algorithm.dpo.reference.trustRemoteCode"
    ]
