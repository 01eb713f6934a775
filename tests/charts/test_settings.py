"""The settings file that the chart writes is the one that the operator reads."""

from pathlib import Path

import pytest
import yaml

from tests.charts.rendering import CHART, INSTALLATIONS, NAMESPACE, Values, of_kind, render, template
from trainjobs.cli.platform_settings import platform
from trainjobs.controller.settings import VARIABLES, OperatorSettings, load_settings


def read(values: Values, folder: Path) -> OperatorSettings:
    """What the operator understands, in a pod of the first replica."""
    (held,) = [one for one in of_kind(render(values), "ConfigMap") if "settings.yaml" in one["data"]]
    text = held["data"]["settings.yaml"]
    authority = folder / "ca.crt"
    authority.write_text("the authority")
    file = folder / "settings.yaml"
    file.write_text(text.replace("/etc/trainjobs/tls/ca.crt", str(authority)))
    return load_settings(file, {"TRAINJOBS_POD_IP": "10.0.0.7", "TRAINJOBS_NAMESPACE": NAMESPACE}, {})


@pytest.mark.parametrize("name", INSTALLATIONS)
def test_the_operator_reads_the_settings_of_every_installation(name: str, tmp_path: Path) -> None:
    settings = read(INSTALLATIONS[name], tmp_path)

    assert settings.leader_election is not None
    assert settings.leader_election.lease_name == "trainjobs"
    assert settings.status_server.service == "trainjobs-status"
    assert settings.status_server.advertised_address == "10.0.0.7"
    assert settings.defaults.status_ca == "the authority"
    assert settings.defaults.status_url == f"https://trainjobs-status.{NAMESPACE}.svc/heartbeat"


def test_what_the_values_say_is_what_runs_get(tmp_path: Path) -> None:
    settings = read(INSTALLATIONS["everything"], tmp_path)

    assert settings.image == "registry.example/operator:2"
    runs = settings.for_namespace("any")
    assert runs.image == f"registry.example/trainer@sha256:{'a' * 64}"
    assert (runs.storage_uri, runs.storage_endpoint) == ("s3://runs/all", "https://s3.example")
    assert (runs.storage_region, runs.storage_secret_name) == ("eu-1", "bucket")
    assert runs.storage_ca_config_map_name == "s3-ca"
    assert (runs.service_accounts, runs.priority_classes) == (["trainer"], ["batch"])
    assert (
        runs.gang_schedulers
        == settings.for_namespace("team-a").gang_schedulers
        == ["Coscheduling", "Volcano"]
    )
    assert runs.allowed_pod_labels == ["cost-center", "example.com/"]
    assert runs.allowed_pod_annotations == ["example.com/"]
    assert (runs.trust_remote_code, runs.grace_seconds, runs.node_grace_seconds) == (True, 120, 30)


def test_the_storage_of_a_namespace_replaces_the_whole_default_storage(tmp_path: Path) -> None:
    settings = read(INSTALLATIONS["everything"], tmp_path)

    runs = settings.for_namespace("team-a")
    assert runs.storage_uri == "s3://team-a"
    assert (runs.storage_endpoint, runs.storage_secret_name, runs.storage_region) == (None, None, None)
    assert runs.service_accounts == ["trainer"]
    assert settings.for_namespace("123").image == "registry.example/other:1"
    assert settings.for_namespace("123").service_accounts == []
    assert settings.for_namespace("123").priority_classes == ["*"]


def test_a_storage_without_a_uri_changes_single_fields_of_the_default(tmp_path: Path) -> None:
    runs = read(INSTALLATIONS["everything"], tmp_path).for_namespace("team-b")

    assert (runs.storage_uri, runs.storage_secret_name) == ("s3://runs/all", "team-b")
    assert (runs.storage_endpoint, runs.storage_region) == ("https://s3.example", "eu-1")


def test_templates_and_variables_of_a_namespace_go_over_those_of_all(tmp_path: Path) -> None:
    settings = read(INSTALLATIONS["everything"], tmp_path)
    every = {"spec": {"nodeSelector": {"pool": "all"}, "securityContext": {"runAsUser": None}}}

    runs, others = settings.for_namespace("team-b"), settings.for_namespace("any")
    assert others.pod_templates == settings.for_namespace("team-a").pod_templates == [every]
    assert runs.pod_templates == [every, {"spec": {"nodeSelector": {"pool": "b"}}}]
    assert [one["name"] for one in runs.env] == ["HTTPS_PROXY", "NO_PROXY"]
    assert [one["name"] for one in others.env] == ["HTTPS_PROXY"]
    assert (runs.accelerators, runs.pod_security_context) == (["example.com/*"], {"runAsNonRoot": True})


PLANNED = {
    **INSTALLATIONS,
    **{path.stem: yaml.safe_load(path.read_text()) for path in sorted((CHART / "examples").glob("*.yaml"))},
    "all defaults": yaml.safe_load((CHART / "values.yaml").read_text()),
    "another name": {"fullnameOverride": "ours", "runs": {"image": {"tag": "7"}}},
    "and another": {"nameOverride": "train-other", "runs": {"trustRemoteCode": None, "podTemplate": None}},
}


@pytest.mark.parametrize("name", PLANNED)
def test_a_plan_takes_values_as_the_chart_hands_them_to_the_operator(name: str, tmp_path: Path) -> None:
    installed = read(PLANNED[name], tmp_path)
    file = tmp_path / "values.yaml"
    file.write_text(yaml.safe_dump(dict(PLANNED[name])))
    planned = platform(file)

    for namespace in ("any", *installed.namespaces):
        theirs, ours = installed.for_namespace(namespace), planned.for_namespace(namespace)
        assert ours.model_copy(update={"status_ca": theirs.status_ca}) == theirs


def test_a_plan_takes_the_objects_of_an_installation_too(tmp_path: Path) -> None:
    file = tmp_path / "objects.yaml"
    file.write_text(template(INSTALLATIONS["everything"]).stdout)
    installed = read(INSTALLATIONS["everything"], tmp_path).for_namespace("team-b")

    planned = platform(file).for_namespace("team-b")

    assert planned.model_copy(update={"status_ca": installed.status_ca}) == installed


def test_without_values_runs_trust_no_code_and_name_no_account(tmp_path: Path) -> None:
    runs = read({}, tmp_path).for_namespace("any")

    assert (runs.trust_remote_code, runs.service_accounts, runs.storage_uri) == (False, [], None)
    assert (runs.priority_classes, runs.allowed_pod_labels, runs.allowed_pod_annotations) == (["*"], [], [])
    assert read(INSTALLATIONS["namespaced"], tmp_path).watch_namespaces == ["team-a", "team-b"]


def test_the_pod_gives_what_the_operator_reads_from_its_environment_and_files(tmp_path: Path) -> None:
    (deployment,) = of_kind(render({}), "Deployment")
    pod = deployment["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    settings = read({}, tmp_path)

    assert {one["name"] for one in container["env"]} == VARIABLES.keys() - {"TRAINJOBS_LOG_FORMAT"}
    mounted = {
        f"/etc/trainjobs/{item['path']}"
        for source in pod["volumes"][0]["projected"]["sources"]
        for item in source.get("secret", {}).get("items", [])
    }
    server = settings.status_server
    assert mounted == {server.certificate, server.key, "/etc/trainjobs/tls/ca.crt"}
    ports = {one["name"]: one["containerPort"] for one in container["ports"]}
    assert ports == {"status": server.port, "metrics": settings.metrics_port}
