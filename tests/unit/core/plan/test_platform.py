"""The platform's part of a pod: merged first, trusted, and less than what a run asks for itself."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.core.plan.builders import PLATFORM, a_plan, a_run
from trainjobs.core.plan.render import rendering
from trainjobs.core.recipe.pods import accelerators
from trainjobs.core.settings import Settings
from trainjobs.errors import InvalidRecipe


def platform(*specs: dict, **others: Any) -> Settings:
    return PLATFORM.model_copy(update={"pod_templates": [{"spec": one} for one in specs], **others})


def pod(settings: Settings, **spec: Any) -> dict:
    found = rendering(a_plan(a_run(**spec), settings))
    assert found.violations == ()
    job: Any = found.objects[1]
    return job["spec"]["pytorchReplicaSpecs"]["Worker"]["template"]["spec"]


def container(settings: Settings, **spec: Any) -> dict:
    return pod(settings, **spec)["containers"][0]


def environment(settings: Settings, **spec: Any) -> dict[str, Any]:
    return {one["name"]: one.get("value", one.get("valueFrom")) for one in container(settings, **spec)["env"]}


def of_container(**fields: Any) -> dict:
    return {"containers": [{"name": "pytorch", **fields}]}


def test_the_platforms_template_is_merged_over_every_planned_pod() -> None:
    toleration = {"key": "nvidia.com/gpu", "operator": "Exists"}
    first = {"tolerations": [toleration], "nodeSelector": {"pool": "all"}}
    second = {"tolerations": [{"key": "team", "operator": "Exists"}], "nodeSelector": {"pool": "team"}}

    found = pod(platform(first, second), podTemplate={"spec": {"nodeSelector": {"zone": "a"}}})

    assert found["tolerations"] == [toleration, {"key": "team", "operator": "Exists"}]
    assert found["nodeSelector"] == {"pool": "team", "zone": "a"}


def test_what_a_run_asks_for_by_fields_of_its_own_goes_before_the_platforms() -> None:
    settings = platform(
        {
            "priorityClassName": "training",
            "imagePullSecrets": [{"name": "all"}],
            "volumes": [{"name": "shared-memory", "emptyDir": {"sizeLimit": "64Gi"}}],
            **of_container(image="theirs", imagePullPolicy="Always"),
        },
        env=[{"name": "HTTPS_PROXY", "value": "http://proxy"}, {"name": "NO_PROXY", "value": ".svc"}],
    )
    asked = pod(
        settings,
        runtime={"image": "mine", "env": [{"name": "HTTPS_PROXY", "value": "http://own"}]},
        runPolicy={"priorityClassName": "urgent"},
        workspace={"sharedMemorySize": "1Gi"},
    )
    silent = pod(settings)

    sizes = [
        one["emptyDir"]["sizeLimit"]
        for one in (*asked["volumes"], *silent["volumes"])
        if one["name"] == "shared-memory"
    ]
    assert sizes == ["1Gi", "64Gi"]
    assert (asked["priorityClassName"], silent["priorityClassName"]) == ("urgent", "training")
    assert [one["containers"][0]["image"] for one in (asked, silent)] == ["mine", "theirs"]
    assert silent["containers"][0]["imagePullPolicy"] == "Always"
    told = {one["name"]: one.get("value") for one in asked["containers"][0]["env"]}
    assert (told["HTTPS_PROXY"], told["NO_PROXY"]) == ("http://own", ".svc")
    assert environment(settings)["HTTPS_PROXY"] == "http://proxy"


def test_the_platform_gives_what_no_manifest_may() -> None:
    settings = platform(
        {
            "runtimeClassName": "nvidia",
            "hostNetwork": True,
            "volumes": [{"name": "fabric", "hostPath": {"path": "/dev/infiniband"}}],
            **of_container(
                securityContext={"capabilities": {"add": ["IPC_LOCK"]}},
                volumeMounts=[{"name": "fabric", "mountPath": "/dev/infiniband"}],
            ),
        }
    )

    found = pod(settings, podTemplate={"spec": {"nodeSelector": {"zone": "a"}}})
    assert (found["runtimeClassName"], found["hostNetwork"]) == ("nvidia", True)
    assert found["containers"][0]["securityContext"]["capabilities"] == {"drop": ["ALL"], "add": ["IPC_LOCK"]}
    taken = rendering(a_plan(a_run(podTemplate={"spec": {"runtimeClassName": None}}), settings)).violations
    assert [one.field for one in taken] == ["spec.podTemplate.spec.runtimeClassName"]


def test_a_platform_may_leave_users_and_groups_to_the_cluster() -> None:
    context = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}

    assert pod(platform(pod_security_context=context))["securityContext"] == context


def test_a_template_that_cannot_be_merged_names_itself() -> None:
    with pytest.raises(InvalidRecipe, match=r"^runs\.podTemplate\.spec\.volumes\[0\]\.name: required"):
        pod(platform({"volumes": [{"emptyDir": {}}]}))


def test_the_agents_grace_is_that_of_the_merged_pod() -> None:
    plan = a_plan(settings=platform({"terminationGracePeriodSeconds": 600}))

    assert plan.recipe.limits.grace_seconds == 600
    assert pod(plan.settings)["terminationGracePeriodSeconds"] == 600


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("nvidia.com/gpu", True),
        ("nvidia.com/mig-1g.10gb", True),
        ("nvidia.com/gpu.shared", True),
        ("amd.com/gpu", True),
        ("rdma/hca", False),
        ("vpc.amazonaws.com/efa", False),
        ("example.com/tpu", False),
    ],
)
def test_parts_of_accelerators_and_shared_ones_count(name: str, counts: bool) -> None:
    run = a_run(resources={"limits": {name: 2}})

    assert accelerators(run, PLATFORM) == (2 if counts else 0)
    assert accelerators(run, PLATFORM.model_copy(update={"accelerators": ["*"]})) == 2


RESOURCES = st.dictionaries(
    st.sampled_from(["requests", "limits"]),
    st.dictionaries(
        st.sampled_from(["cpu", "nvidia.com/gpu", "nvidia.com/mig-1g.10gb", "rdma/hca"]),
        st.integers(1, 4),
        max_size=3,
    ),
)
REMOVING = RESOURCES | st.dictionaries(st.sampled_from(["requests", "limits"]), st.none())


@given(st.lists(REMOVING, max_size=2), RESOURCES, REMOVING)
def test_processes_are_counted_from_the_pod_as_it_is_merged(given: list[dict], own: dict, last: dict) -> None:
    settings = platform(*(of_container(resources=one) for one in given))
    plan = a_plan(a_run(resources=own, podTemplate={"spec": of_container(resources=last)}), settings)
    job: Any = rendering(plan).objects[1]

    (found,) = job["spec"]["pytorchReplicaSpecs"]["Worker"]["template"]["spec"]["containers"]
    asked = {**found["resources"].get("requests", {}), **found["resources"].get("limits", {})}
    devices = sum(count for name, count in asked.items() if name.startswith("nvidia.com/"))
    assert job["spec"]["nprocPerNode"] == str(plan.recipe.processes.per_node) == str(max(devices, 1))


def test_the_workspaces_disk_is_asked_of_the_node() -> None:
    def asked(settings: Settings = PLATFORM, **spec: Any) -> Any:
        return container(settings, **spec).get("resources", {}).get("requests", {}).get("ephemeral-storage")

    assert asked(workspace={"size": "200Gi"}) == "200Gi"
    assert asked(resources={"limits": {"ephemeral-storage": "9Gi"}}) is None
    assert asked(resources={"requests": {"ephemeral-storage": "9Gi"}}) == "9Gi"
    assert asked(workspace={"storageClass": "fast"}) is None
    disk = {"volumes": [{"name": "workspace", "persistentVolumeClaim": {"claimName": "disk"}}]}
    assert asked(podTemplate={"spec": disk}) is None
