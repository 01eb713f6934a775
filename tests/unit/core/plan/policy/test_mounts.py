"""Mounts name volumes that are for a manifest to mount."""

from tests.unit.core.plan.builders import PLATFORM
from tests.unit.core.plan.policy.asking import AGENT, SAFE, SPEC, of_container, of_pod, of_sidecar


def test_what_only_the_platforms_containers_share_is_theirs_alone() -> None:
    shipper = {"name": "shipper", "image": "s", "volumeMounts": [{"name": "keys", "mountPath": "/keys"}]}
    template = {"spec": {"volumes": [{"name": "keys", "emptyDir": {}}], "containers": [shipper]}}
    platform = PLATFORM.model_copy(update={"pod_templates": [template]})
    peeks = {"volumeMounts": [{"name": "keys", "mountPath": "/peek"}]}

    for name, held in (("pytorch", peeks), ("side", {**SAFE, **peeks})):
        assert of_pod(platform, containers=[{"name": name, **held}]) == [
            f"{SPEC}.containers[{name}].volumeMounts[/peek].name"
        ]


def test_mounts_name_volumes_of_the_pod() -> None:
    mount = {"name": "injected", "mountPath": "/host"}
    field = "volumeMounts[/host].name"

    assert of_container(volumeMounts=[mount]) == [f"{AGENT}.{field}"]
    assert of_sidecar(volumeMounts=[mount]) == [f"{SPEC}.containers[side].{field}"]
    assert of_pod(initContainers=[{"name": "first", **SAFE, "volumeMounts": [mount]}]) == [
        f"{SPEC}.initContainers[first].{field}"
    ]
    own = {"name": "injected", "emptyDir": {}}
    assert of_pod(volumes=[own], containers=[{"name": "pytorch", "volumeMounts": [mount]}]) == []


def test_the_agents_token_is_mounted_for_the_agent_alone() -> None:
    mount = {"name": "trainjobs", "mountPath": "/peek"}

    assert of_sidecar(volumeMounts=[mount]) == [f"{SPEC}.containers[side].volumeMounts[/peek].name"]
    assert of_container(volumeMounts=[mount]) == [f"{AGENT}.volumeMounts[/peek].name"]
