"""The container that trains runs the agent, with what the operator tells it."""

import pytest

from tests.unit.core.plan.policy.asking import AGENT, of_container, of_pod


@pytest.mark.parametrize(
    ("container", "field"),
    [
        ({"securityContext": {"privileged": True}}, "securityContext.privileged"),
        ({"securityContext": {"allowPrivilegeEscalation": True}}, "securityContext.allowPrivilegeEscalation"),
        ({"securityContext": {"capabilities": {"add": ["NET_ADMIN"]}}}, "securityContext.capabilities.add"),
        ({"securityContext": {"capabilities": None}}, "securityContext.capabilities.drop"),
        ({"securityContext": {"procMount": "Unmasked"}}, "securityContext.procMount"),
        ({"securityContext": {"runAsUser": 0}}, "securityContext.runAsUser"),
        ({"securityContext": {"runAsNonRoot": False}}, "securityContext.runAsNonRoot"),
        ({"securityContext": {"seccompProfile": {"type": "Unconfined"}}}, "securityContext.seccompProfile"),
        ({"ports": [{"containerPort": 80, "hostPort": 80}]}, "ports.hostPort"),
        ({"ports": [{"containerPort": 80, "hostIP": "0.0.0.0"}]}, "ports.hostIP"),
        ({"volumeDevices": [{"name": "v", "devicePath": "/dev/x"}]}, "volumeDevices"),
        ({"lifecycle": {"postStart": {"exec": {"command": ["x"]}}}}, "lifecycle"),
        ({"command": ["sh"]}, "command"),
        ({"args": ["x"]}, "args"),
        ({"env": [{"name": "TRAINJOBS_STATUS_URL", "value": "x"}]}, "env[TRAINJOBS_STATUS_URL]"),
        ({"env": [{"name": "TRAINJOBS_ATTEMPT", "value": "9"}]}, "env[TRAINJOBS_ATTEMPT]"),
        ({"env": [{"name": "TRAINJOBS_STORAGE_SECONDS", "value": "9"}]}, "env[TRAINJOBS_STORAGE_SECONDS]"),
        ({"envFrom": [{"prefix": "TRAINJOBS_", "configMapRef": {"name": "x"}}]}, "envFrom[0].prefix"),
        ({"envFrom": [{"prefix": "TRAINJOBS_STATUS_", "secretRef": {"name": "x"}}]}, "envFrom[0].prefix"),
        ({"envFrom": [{"prefix": "TRAIN", "secretRef": {"name": "x"}}]}, "envFrom[0].prefix"),
        ({"terminationMessagePath": "/etc/trainjobs/recipe.json"}, "terminationMessagePath"),
        ({"terminationMessagePolicy": "FallbackToLogsOnError"}, "terminationMessagePolicy"),
        ({"restartPolicy": "Always"}, "restartPolicy"),
        ({"ports": [{"containerPort": 9464, "name": "mine"}]}, "ports[metrics]"),
        ({"volumeMounts": [{"name": "tmp", "mountPath": "/tmp/"}]}, "volumeMounts[/tmp/]"),
    ],
)
def test_what_the_agents_container_may_not_have_is_refused(container: dict, field: str) -> None:
    assert of_container(**container) == [f"{AGENT}.{field}"]


@pytest.mark.parametrize(
    "path",
    [
        "/etc/trainjobs/recipe.json",
        "/etc/trainjobs/sub/deeper",
        "/etc/trainjobs/",
        "//etc/trainjobs",
        "/etc//trainjobs/.",
        "/tmp/../etc/trainjobs",
        "etc/trainjobs",
        "/etc",
        "/",
    ],
)
def test_nothing_is_mounted_over_what_the_agent_is_told(path: str) -> None:
    found = of_container(volumeMounts=[{"name": "tmp", "mountPath": path}])

    assert set(found) == {f"{AGENT}.volumeMounts[{path}]"}


@pytest.mark.parametrize("field", ["subPath", "subPathExpr", "mountPropagation", "name"])
def test_the_mount_of_what_the_agent_is_told_stays_as_it_is(field: str) -> None:
    mount = {"name": "trainjobs", "mountPath": "/etc/trainjobs", field: "tmp"}

    assert f"{AGENT}.volumeMounts" in of_container(volumeMounts=[mount])
    assert f"{AGENT}.volumeMounts" in of_container(volumeMounts=None)


def test_paths_beside_what_the_agent_is_told_are_free() -> None:
    free = ["/etc/trainjobs-of-mine", "/etc/ssl/certs", "/data"]

    assert of_container(volumeMounts=[{"name": "tmp", "mountPath": path} for path in free]) == []


@pytest.mark.parametrize("path", ["/dev/termination-log", "/dev", "/dev/termination-log/x"])
def test_nothing_is_mounted_over_the_agents_last_word(path: str) -> None:
    assert of_container(volumeMounts=[{"name": "tmp", "mountPath": path}]) == [
        f"{AGENT}.volumeMounts[{path}]"
    ]
    assert of_container(volumeMounts=[{"name": "tmp", "mountPath": "/dev/shm/mine"}]) == []


def test_the_agents_container_cannot_be_removed() -> None:
    assert AGENT in of_pod(containers=None)
