"""The example values for real clusters: rendered, read by the operator, and runs are planned with them."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from tests.charts.objectchecker import judge
from tests.charts.rendering import CHART, render
from tests.charts.test_settings import read
from tests.unit.core.plan.builders import a_plan, a_run
from trainjobs.api.metadata import ObjectMeta
from trainjobs.cli.app import app
from trainjobs.cli.planning import UNKNOWN_UID
from trainjobs.cli.platform_settings import AUTHORITY
from trainjobs.core.plan.render import render as render_plan
from trainjobs.core.plan.render import rendering

EXAMPLES = {path.stem: path for path in sorted((CHART / "examples").glob("*.yaml"))}


def container(pod: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = pod["containers"][0]
    return found


def pod_on(name: str, folder: Path, **spec: Any) -> dict[str, Any]:
    """The pod of a run that asks for one accelerator and nothing of what its cluster needs."""
    settings = read(yaml.safe_load(EXAMPLES[name].read_text()), folder).for_namespace("team")
    device = settings.accelerators[0]
    run = a_run(resources={"limits": {device: "1"}}, checkpoints={"storage": {}}, **spec)
    found = rendering(a_plan(run, settings))
    assert found.violations == ()
    job: Any = found.objects[1]
    pod: dict[str, Any] = job["spec"]["pytorchReplicaSpecs"]["Worker"]["template"]["spec"]
    assert container(pod)["resources"]["limits"][device] == "1"
    return pod


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_example_is_a_valid_installation(name: str) -> None:
    objects = render(yaml.safe_load(EXAMPLES[name].read_text()))
    assert [verdict for verdict in judge(objects) if verdict.decoding or verdict.forbidden] == []


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_pods_of_a_plan_are_those_of_the_operator(name: str, tmp_path: Path) -> None:
    settings = read(yaml.safe_load(EXAMPLES[name].read_text()), tmp_path).for_namespace("team")
    run = a_run(
        resources={"limits": {settings.accelerators[0]: "2"}},
        checkpoints={"storage": {}},
        topology={"nodes": 2},
    )
    made = run.model_copy(update={"metadata": ObjectMeta(name="ratings", namespace="team", uid=UNKNOWN_UID)})
    theirs = render_plan(a_plan(made, settings))
    manifest = made.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude={"status"})
    manifest["metadata"] = {"name": "ratings"}
    file = tmp_path / "run.yaml"
    file.write_text(yaml.safe_dump({"apiVersion": run.api_version, "kind": run.kind, **manifest}))

    done = CliRunner().invoke(
        app, ["plan", str(file), "--settings", str(EXAMPLES[name]), "-n", "team", "--output", "json"]
    )

    assert done.exit_code == 0, done.output
    # What the operator reads from its own disk, no plan knows.
    ours = done.stdout.replace(AUTHORITY, settings.status_ca)
    assert json.loads(ours)[0]["objects"] == [*theirs]


def test_nvidia_gives_the_runtime_class_and_tolerates_the_taint(tmp_path: Path) -> None:
    pod = pod_on("nvidia", tmp_path)
    assert pod["runtimeClassName"] == "nvidia"
    assert [one["key"] for one in pod["tolerations"]] == ["nvidia.com/gpu"]


def test_amd_counts_its_devices_and_gives_their_groups(tmp_path: Path) -> None:
    pod = pod_on("amd", tmp_path)
    assert pod["securityContext"]["supplementalGroups"] == [44, 109]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert container(pod)["image"] == "registry.example/trainjobs/trainer-rocm:0.1.0"


def test_k3s_keeps_runs_on_a_volume(tmp_path: Path) -> None:
    claims = [
        one.get("persistentVolumeClaim", {}).get("claimName") for one in pod_on("k3s", tmp_path)["volumes"]
    ]
    assert "runs" in claims


def test_eks_gives_the_fabric_and_lets_memory_be_locked(tmp_path: Path) -> None:
    pod = pod_on("eks-efa", tmp_path, runtime={"serviceAccountName": "trainer"})
    assert container(pod)["resources"]["limits"]["vpc.amazonaws.com/efa"] == "32"
    assert container(pod)["securityContext"]["capabilities"] == {"drop": ["ALL"], "add": ["IPC_LOCK"]}
    assert {"name": "FI_PROVIDER", "value": "efa"} in container(pod)["env"]
    assert pod["serviceAccountName"] == "trainer"


def test_gke_chooses_the_pool_and_leaves_in_time(tmp_path: Path) -> None:
    pod = pod_on("gke", tmp_path)
    assert pod["nodeSelector"] == {"cloud.google.com/gke-accelerator": "nvidia-h100-80gb"}
    assert pod["terminationGracePeriodSeconds"] == 25
