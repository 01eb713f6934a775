"""What may not be is refused by `kubectl apply` itself, or by the operator where only it can see it."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.bench import Bench


def validated(manifest: str, tmp_path: Path) -> list[dict[str, Any]]:
    """What `trainjobs validate` finds wrong."""
    (tmp_path / "run.yaml").write_text(manifest)
    command = [sys.executable, "-m", "trainjobs", "validate", str(tmp_path / "run.yaml"), "--output", "json"]
    said = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    return list(json.loads(said)["faults"])


@pytest.mark.parametrize(
    "spec",
    [{"checkpoints": {"storage": {"uri": "s3://runs/../other"}}}, {"objective": {"type": "Regression"}}],
)
def test_a_spec_that_breaks_a_rule_is_refused_in_the_words_of_validate(bench: Bench, tmp_path, spec: dict):
    manifest = json.dumps(bench.manifest("bad", spec=spec))
    refused = bench.cluster.try_kubectl("apply", "-f", "-", stdin=manifest)
    assert refused.returncode != 0
    [fault] = validated(manifest, tmp_path)
    assert fault["message"] in refused.stderr
    assert not bench.cluster.exists("rmrun", "bad", "-n", bench.namespace)


def test_a_number_out_of_bounds_is_refused_for_the_field_that_validate_names(bench: Bench, tmp_path):
    manifest = json.dumps(bench.manifest("bad", spec={"topology": {"nodes": 0}}))
    refused = bench.cluster.try_kubectl("apply", "-f", "-", stdin=manifest)
    # Bounds are in the schema, for which the API server has its own words.
    assert "spec.topology.nodes in body should be greater than or equal to 1" in refused.stderr
    [fault] = validated(manifest, tmp_path)
    assert fault["path"] == "spec.topology.nodes"


def test_a_forbidden_change_to_a_running_run_is_refused_and_an_allowed_one_is_not(bench: Bench):
    script = ("--steps", "600", "--step-seconds", "0.5")
    bench.apply("fixed", *script)
    bench.until_training("fixed")
    changed = json.dumps(bench.manifest("fixed", *script, spec={"training": {"seed": 7}}))
    refused = bench.cluster.try_kubectl("apply", "-f", "-", stdin=changed)
    assert refused.returncode != 0
    words = "spec.training: cannot change once the run exists; make a new run with another name"
    assert words in refused.stderr
    bench.apply("fixed", *script, spec={"runPolicy": {"maxRestarts": 7}})
    assert bench.run("fixed")["spec"]["runPolicy"]["maxRestarts"] == 7


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        (
            {"podTemplate": {"spec": {"volumes": [{"name": "host", "hostPath": {"path": "/"}}]}}},
            "spec.podTemplate.spec.volumes[host].hostPath",
        ),
        ({"podTemplate": {"spec": {"serviceAccountName": "admin"}}}, "serviceAccountName"),
        ({"podTemplate": {"spec": {"hostNetwork": True}}}, "spec.podTemplate.spec.hostNetwork"),
    ],
)
def test_a_pod_template_that_asks_for_more_than_pods_get_is_denied(bench: Bench, spec: dict, field: str):
    bench.apply("greedy", spec=spec)
    accepted = bench.until("greedy", lambda: bench.condition("greedy", "Accepted"), "a verdict", 30)
    assert (accepted["status"], accepted["reason"]) == ("False", "PolicyDenied")
    assert field in accepted["message"]
    assert bench.pods("greedy") == []
