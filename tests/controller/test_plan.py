"""`trainjobs plan` with chart values, against the job that an operator with the same values makes."""

import json
from pathlib import Path
from typing import Any

import yaml
from typer.testing import CliRunner

from tests.charts.rendering import CHART, of_kind, render
from tests.controller.operator_process import Operator
from tests.controller.world import World, run
from trainjobs.cli.app import app
from trainjobs.cli.planning import UNKNOWN_UID
from trainjobs.cli.platform_settings import AUTHORITY


def test_a_plan_shows_the_pods_that_the_operator_makes(operator: Operator, world: World, tmp_path: Path):
    values = yaml.safe_load((CHART / "examples" / "eks-efa.yaml").read_text())
    template = {"metadata": {"labels": {"team": "a"}}, "spec": {"priorityClassName": "batch"}}
    values["namespaces"] = {world.namespace: {"podTemplate": template, "storage": {"region": "us-east-2"}}}
    (tmp_path / "values.yaml").write_text(yaml.safe_dump(values))
    (held,) = [one for one in of_kind(render(values), "ConfigMap") if "settings.yaml" in one["data"]]
    installed = yaml.safe_load(held["data"]["settings.yaml"])
    manifest = run(
        "chat",
        topology={"nodes": 2},
        resources={"limits": {"nvidia.com/gpu": "8"}},
        checkpoints={"storage": {}},
    )
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(manifest))
    operator.start(
        defaults={**installed["defaults"], "statusCa": AUTHORITY}, namespaces=installed["namespaces"]
    )
    uid = world.create(manifest)["metadata"]["uid"]

    made = world.wait_for_job("chat")

    asked = [str(tmp_path / "run.yaml"), "--settings", str(tmp_path / "values.yaml"), "-n", world.namespace]
    planned = CliRunner().invoke(app, ["plan", *asked, "--output", "json"])
    assert planned.exit_code == 0, planned.output
    assert pods(json.loads(with_uid(planned.stdout, uid))[0]["objects"][1]) == pods(made)


def with_uid(text: str, uid: str) -> str:
    """What a plan says, where the run has the UID that the API server gave it."""
    for before, length in (("", 36), ("chat-", 8), ("chat-", 5)):
        text = text.replace(before + UNKNOWN_UID[:length], before + uid[:length])
    return text


def pods(job: dict[str, Any]) -> dict[str, Any]:
    """What its pods are made of, as the API server keeps it."""
    worker: dict[str, Any] = job["spec"]["pytorchReplicaSpecs"]["Worker"]
    for port in worker["template"]["spec"]["containers"][0]["ports"]:
        port.setdefault("protocol", "TCP")
    return worker
