"""Every installation: real types read it, restricted namespaces take it, and it is what its values say."""

import base64
import ssl
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.charts.objectchecker import judge
from tests.charts.rendering import (
    CHART,
    INSTALLATIONS,
    NAMESPACE,
    NAMESPACED,
    Values,
    helm,
    named,
    of_kind,
    render,
    template,
)

CRDS = CHART.parents[1] / "crds"


@pytest.mark.parametrize("name", INSTALLATIONS)
def test_every_object_is_decoded_strictly_and_its_pods_fit_a_restricted_namespace(name: str) -> None:
    objects = render(INSTALLATIONS[name])

    verdicts = judge(objects)

    assert [
        (one["kind"], verdict)
        for one, verdict in zip(objects, verdicts, strict=True)
        if verdict.decoding or verdict.forbidden
    ] == []
    assert len(of_kind(objects, "Deployment")) == 1


def test_the_judge_refuses_what_it_should() -> None:
    (deployment,) = of_kind(render({}), "Deployment")
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    container["livenessprobe"] = {}
    container["securityContext"]["allowPrivilegeEscalation"] = True

    (verdict,) = judge([deployment])

    assert "livenessprobe" in verdict.decoding[0]
    assert "allowPrivilegeEscalation" in verdict.forbidden[0]


def test_every_value_is_set_in_some_installation() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    unset = {
        path
        for path in _leaves(values)
        if not any(_has(installation, path.split(".")) for installation in INSTALLATIONS.values())
    }

    # Of these, names of objects, the other tests want to know what they are.
    assert unset == {"nameOverride", "fullnameOverride"}


def test_lint_has_nothing_to_say() -> None:
    done = helm("lint", "--strict", str(CHART))

    assert done.returncode == 0, done.stdout
    assert "WARNING" not in done.stdout


def test_the_chart_brings_the_definitions_as_they_are_and_keeps_them() -> None:
    found = {one["metadata"]["name"]: one for one in of_kind(render({}), "CustomResourceDefinition")}

    for file in CRDS.glob("*.yaml"):
        definition = yaml.safe_load(file.read_text())
        rendered = found.pop(definition["metadata"]["name"])
        assert rendered["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
        assert rendered["spec"] == definition["spec"]
    assert found == {}
    assert of_kind(render({"crds": {"install": False}}), "CustomResourceDefinition") == []


def test_a_namespaced_installation_has_nothing_that_is_cluster_wide() -> None:
    kinds = {one["kind"] for one in render(NAMESPACED)}

    assert kinds.isdisjoint({"ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition", "Namespace"})


@pytest.mark.parametrize(
    ("image", "reference"),
    [
        ({}, "trainjobs/operator:0.1.0"),
        ({"tag": "main"}, "trainjobs/operator:main"),
        ({"digest": f"sha256:{'b' * 64}", "tag": "main"}, f"trainjobs/operator@sha256:{'b' * 64}"),
    ],
)
def test_images_are_named_by_digest_by_tag_or_by_the_version_of_the_chart(
    image: Values, reference: str
) -> None:
    objects = render({"operator": {"image": {"repository": "trainjobs/operator", **image}}})

    pods = [_pod(one) for one in of_kind(objects, "Deployment", "Pod")]
    assert [container["image"] for pod in pods for container in pod["containers"]] == [reference] * 2


def test_the_version_of_the_chart_is_the_version_of_the_project() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    project = (CHART.parents[1] / "pyproject.toml").read_text()

    assert f'version = "{chart["appVersion"]}"' in project


def test_other_settings_make_other_pods_and_the_same_settings_the_same() -> None:
    def checksum(values: Values) -> str:
        (deployment,) = of_kind(render(values), "Deployment")
        return str(deployment["spec"]["template"]["metadata"]["annotations"]["checksum/settings"])

    # Labels are no settings.
    assert checksum({}) == checksum({"commonLabels": {"team": "platform"}})
    assert checksum({}) != checksum({"runs": {"graceSeconds": 31}})


def test_the_status_service_reaches_whom_the_leader_names() -> None:
    service = named(render({}), "Service", "trainjobs-status")

    assert "selector" not in service["spec"]
    # kube-proxy joins a Service and its EndpointSlices by the names of their ports.
    assert service["spec"]["ports"][0]["name"] == "status"


def test_the_generated_certificate_is_signed_for_the_name_that_agents_use(tmp_path: Path) -> None:
    secret = named(render({}), "Secret", "trainjobs-status-tls")
    for name, data in secret["data"].items():
        (tmp_path / name).write_bytes(base64.b64decode(data))

    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(tmp_path / "tls.crt", tmp_path / "tls.key")
    for host in (f"trainjobs-status.{NAMESPACE}.svc", f"trainjobs-status.{NAMESPACE}.svc.cluster.local"):
        command = ["openssl", "verify", "-verify_hostname", host, "-CAfile", "ca.crt", "tls.crt"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    assert secret["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"


def test_a_budget_for_disruptions_needs_a_second_replica() -> None:
    assert of_kind(render({"operator": {"replicas": 1}}), "PodDisruptionBudget") == []


def test_objects_have_the_names_that_are_asked_for() -> None:
    assert named(render({"fullnameOverride": "own"}), "Deployment", "own")
    assert named(render({"nameOverride": "own"}), "Deployment", "trainjobs-own")


def test_long_release_names_leave_room_for_what_is_appended() -> None:
    done = helm("template", "r" * 53, str(CHART))

    objects = [one for one in yaml.safe_load_all(done.stdout) if one]
    assert {len(one["metadata"]["name"]) > 63 for one in objects} == {False}


def test_the_notes_say_which_secret_every_namespace_needs() -> None:
    done = helm(
        "install", "trainjobs", str(CHART), "--dry-run=client",
        "--set", "runs.storage.uri=s3://runs,runs.storage.secretName=bucket",
    )  # fmt: skip

    assert "create secret generic bucket" in done.stdout, done.stderr


def test_a_missing_name_is_asked_for() -> None:
    for tls in ({"type": "Secret"}, {"type": "CertManager"}):
        assert "status.tls." in template({"status": {"tls": tls}}).stderr


def _pod(obj: dict[str, Any]) -> dict[str, Any]:
    return dict(obj["spec"] if obj["kind"] == "Pod" else obj["spec"]["template"]["spec"])


def _leaves(values: Any, path: str = "") -> list[str]:
    if not isinstance(values, dict) or not values:
        return [path]
    return [
        leaf for key, value in values.items() for leaf in _leaves(value, f"{path}.{key}" if path else key)
    ]


def _has(values: Any, path: list[str]) -> bool:
    for key in path:
        if not isinstance(values, dict) or key not in values:
            return False
        values = values[key]
    return True
