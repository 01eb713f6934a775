"""A run may be deleted at any moment: nothing of it runs on, and its data is whole, or gone on request."""

import time
from typing import Any

import pytest

from tests.cluster.bench import BUCKET, NAMESPACE, SECRET, Bench
from tests.cluster.harness.sandbox import wait_for
from tests.cluster.narrow_line import NarrowLine, dead_registry, narrow_line
from tests.cluster.operator_pods import leader
from tests.harness.s3 import REGION

ENDLESS = ("--steps", "6000", "--step-seconds", "0.25", "--save-every", "8")
# Twenty times what the line carries in the grace that the pods have.
HEAVY = (*ENDLESS, "--ballast", "20000000")
RATE, GRACE = 100_000, 10


def deleted(bench: Bench, name: str) -> None:
    bench.kubectl("delete", "rmrun", name, "--wait=true", "--timeout=90s")


def upload(bench: Bench, name: str, line: NarrowLine, policy: str) -> str:
    """Let a run train until it uploads a checkpoint, which takes it minutes; its UID."""
    storage = {"uri": f"s3://{BUCKET}", "endpoint": line.endpoint, "region": REGION, "secretName": SECRET}
    spec: dict[str, Any] = {
        "checkpoints": {"storage": storage},
        "runPolicy": {"deletionPolicy": policy},
    }
    manifest = bench.manifest(name, *HEAVY, spec=spec)
    manifest["spec"]["podTemplate"]["spec"]["terminationGracePeriodSeconds"] = GRACE
    bench.apply_manifest(manifest)
    bench.until(name, lambda: line.carried > 500_000, "the upload of a checkpoint")
    return str(bench.run(name)["metadata"]["uid"])


@pytest.mark.usefixtures("own_cluster")
def test_a_run_deleted_while_its_image_is_pulled_leaves_no_pod(bench: Bench):
    with dead_registry() as registry:
        manifest = bench.manifest("unborn")
        manifest["spec"]["runtime"]["image"] = f"{registry}/slow:1"
        bench.apply_manifest(manifest)
        selector = "--field-selector=reason=Pulling"
        bench.until(
            "unborn",
            lambda: bench.cluster.get("events", "-n", bench.namespace, selector)["items"],
            "the kubelet to pull",
        )
        deleted(bench, "unborn")
        begun = time.monotonic()
        bench.until_gone("pods", 60)
        print(f"from the run's deletion to no pod, while pulling: {time.monotonic() - begun:.1f} s")
    bench.until_gone("pytorchjobs", 30)


@pytest.mark.usefixtures("own_cluster")
def test_a_run_deleted_while_it_uploads_leaves_no_checkpoint_that_is_not_whole(bench: Bench):
    with narrow_line(RATE) as line:
        uid = upload(bench, "cut", line, "Retain")
        deleted(bench, "cut")
        begun = time.monotonic()
        bench.until_gone("pods", 60)
        print(f"from the run's deletion to no pod, while uploading: {time.monotonic() - begun:.1f} s")
    stored = bench.stored("cut", uid)
    assert "attempts/0001.json" in stored
    # What has no manifest does not exist, whatever else of it lies there.
    assert not any(key.endswith("MANIFEST.json") for key in stored)


@pytest.mark.usefixtures("own_cluster")
def test_a_run_deleted_with_its_data_while_it_uploads_leaves_none(bench: Bench):
    with narrow_line(RATE) as line:
        uid = upload(bench, "emptied", line, "Delete")
        assert bench.stored("emptied", uid) != []
        deleted(bench, "emptied")
        # The data goes before the run, and only when nobody writes any more.
        assert bench.pods("emptied") == []
        assert bench.stored("emptied", uid) == []
        assert bench.events("emptied")[-3:] == ["Stopping", "CleaningUp", "CleanedUp"]
    bench.until_gone("pytorchjobs", 30)
    bench.until_gone("jobs.batch", 30)


def test_a_namespace_that_is_deleted_is_not_held_up_by_runs_with_data_to_delete(bench: Bench):
    doomed = Bench(bench.cluster, bench.cluster.make_another_namespace(bench.namespace, "doomed"))
    doomed.prepare()
    doomed.apply("held", *ENDLESS, spec={"runPolicy": {"deletionPolicy": "Delete"}})
    doomed.until_training("held")
    found = doomed.run("held")["metadata"]
    assert found["finalizers"] == ["trainjobs.dev/stored-data"]
    begun = time.monotonic()
    bench.cluster.kubectl("delete", "namespace", doomed.namespace, "--wait=false")
    wait_for(
        lambda: not bench.cluster.exists("namespace", doomed.namespace),
        f"{doomed.namespace} to go",
        seconds=120,
        every=0.5,
    )
    print(f"from the namespace's deletion to its end: {time.monotonic() - begun:.1f} s")
    # In it nothing could be created that would have the keys; the operator's log says what stays.
    told = bench.cluster.kubectl("logs", "-n", NAMESPACE, leader(bench))
    assert f"DataLeft: s3://{BUCKET}/{doomed.namespace}/RewardModelRun/held-" in told
    assert any(key.endswith("MANIFEST.json") for key in doomed.stored("held", found["uid"]))
    doomed.leave()


def test_a_run_made_again_at_once_under_its_name_is_another_one(bench: Bench):
    bench.apply("again", *ENDLESS)
    bench.until_training("again")
    first = str(bench.run("again")["metadata"]["uid"])
    bench.kubectl("delete", "rmrun", "again", "--wait=false")
    bench.apply("again", "--steps", "10", "--save-every", "10")
    second = str(bench.run("again")["metadata"]["uid"])
    assert second != first
    bench.wait("again", "Succeeded", 120)
    assert bench.status("again")["attempt"] == 1
    bench.until("again", lambda: len(bench.pods("again")) == 1, "the first run's pods to go")
    assert "resumed at step" not in bench.log("again", 1)
    old, new = bench.stored("again", first), bench.stored("again", second)
    assert "result.json" not in old
    assert any(key.endswith("MANIFEST.json") for key in old)
    assert sorted(key.split("/")[1] for key in new if key.endswith("MANIFEST.json")) == [
        "model-a0001",
        "step-00000010-a0001",
    ]
    owners = {
        reference["uid"]
        for kind in ("pytorchjobs", "networkpolicies")
        for one in bench.cluster.get(kind, "-n", bench.namespace)["items"]
        for reference in one["metadata"]["ownerReferences"]
    }
    assert owners == {second}
