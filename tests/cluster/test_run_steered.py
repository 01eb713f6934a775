"""What people ask of a run that trains: rest, go on, save now, go."""

import json
from typing import Any

import pytest

from tests.cluster.bench import Bench

LONG = ("--steps", "160", "--step-seconds", "0.25", "--save-every", "20")


def patched(bench: Bench, name: str, **spec: Any) -> None:
    bench.kubectl("patch", "rmrun", name, "--type=merge", "-p", json.dumps({"spec": spec}))


def suspended(bench: Bench, name: str) -> None:
    patched(bench, name, runPolicy={"suspend": True})
    bench.until(name, lambda: bench.status(name).get("phase") == "Suspended", "the rest")
    bench.until(name, lambda: bench.pods(name) == [], "the pods to go")


def resumed_step(bench: Bench, name: str, attempt: int) -> int:
    """The step that an attempt goes on from, once it says so."""
    bench.until(name, lambda: "resumed at step" in bench.log_or_none(name, attempt), "the resume")
    return int(bench.log(name, attempt).split("resumed at step ")[1].split()[0].rstrip('",}'))


def test_a_suspended_run_saves_and_rests_and_goes_on_from_there(bench: Bench):
    bench.apply("resting", *LONG)
    bench.until_training("resting")
    suspended(bench, "resting")
    assert bench.cluster.get("pytorchjobs", "-n", bench.namespace)["items"] == []
    at_rest = bench.status("resting")["checkpoints"]["latest"]["step"]
    # Saved when it was told to stop, not only when it was due.
    patched(bench, "resting", runPolicy={"suspend": False})
    assert resumed_step(bench, "resting", 2) >= at_rest
    bench.wait("resting", "Succeeded", 150)
    status = bench.status("resting")
    assert (status["attempt"], status.get("restarts", 0), status.get("infrastructureRestarts", 0)) == (
        2,
        0,
        0,
    )


def test_a_run_is_spread_over_more_nodes_while_it_is_suspended_and_goes_on_there(bench: Bench):
    manifest = bench.manifest("growing", *LONG)
    # torchrun starts the script on each node.
    bench.add_torch(manifest)
    bench.apply_manifest(manifest)
    bench.until_training("growing")
    with pytest.raises(RuntimeError, match="cannot change while the run is active"):
        patched(bench, "growing", topology={"nodes": 2})
    suspended(bench, "growing")
    at_rest = bench.status("growing")["checkpoints"]["latest"]["step"]
    patched(bench, "growing", topology={"nodes": 2})
    patched(bench, "growing", runPolicy={"suspend": False})
    assert resumed_step(bench, "growing", 2) >= at_rest
    assert len({pod["spec"]["nodeName"] for pod in bench.pods("growing", 2)}) == 2
    bench.wait("growing", "Succeeded", 150)
    assert bench.status("growing")["attempt"] == 2


def test_an_annotation_that_asks_for_a_checkpoint_reaches_the_agent_within_seconds(bench: Bench):
    bench.apply("asked", "--steps", "600", "--step-seconds", "0.25", "--save-every", "1000")
    bench.until("asked", lambda: bench.step("asked") > 0, "a step")
    bench.kubectl("annotate", "rmrun", "asked", "trainjobs.dev/checkpoint-now=1")
    # Our own training saves then; a script of the user's saves when it chooses, and the agent says so.
    asked = "a checkpoint was asked for"
    bench.until("asked", lambda: asked in bench.log_or_none("asked", 1), "the agent to be told", seconds=15)
    metadata = bench.run("asked")["metadata"]
    assert "trainjobs.dev/checkpoint-now" not in metadata["annotations"]


def test_a_deleted_run_takes_its_pods_along_and_leaves_its_data(bench: Bench):
    bench.apply("gone", *LONG)
    bench.until_training("gone")
    uid = bench.run("gone")["metadata"]["uid"]
    bench.kubectl("delete", "rmrun", "gone", "--wait=true", "--timeout=60s")
    bench.until_gone("pods", 60)
    bench.until_gone("pytorchjobs", 60)
    bench.until_gone("networkpolicies", 60)
    assert any(key.endswith("MANIFEST.json") for key in bench.stored("gone", uid))
