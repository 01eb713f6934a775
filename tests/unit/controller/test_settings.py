"""What the operator is told, and what is said of settings that are wrong."""

from pathlib import Path

import pytest

from trainjobs.controller.settings import OperatorSettings, load_settings
from trainjobs.errors import UsageError


def test_flags_go_before_the_environment_and_that_before_the_file(tmp_path: Path):
    file = tmp_path / "settings.yaml"
    file.write_text("namespace: of-file\nidentity: of-file\nworkers: 3\nstatusServer: {port: 9}\n")
    environment = {"TRAINJOBS_NAMESPACE": "of-pod", "TRAINJOBS_POD_IP": "10.0.0.1", "OTHER": "x"}
    settings = load_settings(file, environment, {"namespace": "of-flag", "logFormat": None})
    assert (settings.namespace, settings.identity, settings.workers) == ("of-flag", "of-file", 3)
    assert (settings.status_server.port, settings.status_server.advertised_address) == (9, "10.0.0.1")


def test_a_namespace_overrides_single_defaults():
    settings = OperatorSettings.model_validate(
        {
            "defaults": {"image": "trainer:1", "storageUri": "s3://all"},
            "namespaces": {"team-a": {"storageUri": "s3://team-a", "serviceAccounts": ["s3"]}},
        }
    )
    own, other = settings.for_namespace("team-a"), settings.for_namespace("team-b")
    assert (own.storage_uri, own.image, own.service_accounts) == ("s3://team-a", "trainer:1", ["s3"])
    assert (other.storage_uri, other.service_accounts) == ("s3://all", [])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("workers: 0", "workers: 0 is not allowed; give a number of at least 1"),
        ("worker: 2", "worker: there is no such field; did you mean workers?"),
        ("[1]", "holds no mapping of settings"),
        ("a: [", "is not YAML"),
        ("namespaces: {team-a: {imagee: x}}", "imagee"),
        ("leaderElection: {leaseSeconds: 5}", "leaderElection"),
    ],
)
def test_wrong_settings_are_named_in_one_line(tmp_path: Path, text: str, said: str):
    file = tmp_path / "settings.yaml"
    file.write_text(text)
    with pytest.raises(UsageError) as error:
        load_settings(file, {}, {})
    assert said in str(error.value)
    assert str(error.value).startswith(str(file))
    assert "\n" not in str(error.value)


def test_a_file_that_is_not_there_is_said(tmp_path: Path):
    with pytest.raises(UsageError, match="cannot be read"):
        load_settings(tmp_path / "none.yaml", {}, {})


def test_the_authoritys_text_is_handed_to_runs(tmp_path: Path):
    (tmp_path / "ca.crt").write_text("-----BEGIN CERTIFICATE-----\n")
    file = tmp_path / "settings.yaml"
    file.write_text(f"statusServer: {{ca: {tmp_path / 'ca.crt'}}}")
    assert load_settings(file, {}, {}).defaults.status_ca.startswith("-----BEGIN")
