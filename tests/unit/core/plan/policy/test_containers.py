"""Containers beside the agent's, and before it."""

from tests.unit.core.plan.policy.asking import AGENT, SAFE, SPEC, of_pod, of_sidecar


def test_a_container_has_a_name_of_its_own() -> None:
    twin = {"name": "pytorch", **SAFE}

    assert of_pod(initContainers=[twin]) == [f"{AGENT}.name"]


def test_other_containers_are_judged_too() -> None:
    assert of_sidecar() == []
    assert of_sidecar(securityContext={}) == [
        f"{SPEC}.containers[side].securityContext.allowPrivilegeEscalation",
        f"{SPEC}.containers[side].securityContext.capabilities.drop",
    ]
    assert of_pod(initContainers=[{"name": "i", "securityContext": {"privileged": True}}])[0] == (
        f"{SPEC}.initContainers[i].securityContext.privileged"
    )
