"""Storage fails under a run: training goes on, a condition says why, and what is due is stored afterwards.

Each test has a server of its own, so that it takes nothing away from the others.
"""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.cluster.bench import BUCKET, Bench
from tests.cluster.harness.own import OwnCluster
from tests.cluster.harness.s3 import ClusterS3
from tests.cluster.stored import stored, undisturbed
from tests.harness.s3 import S3Account

KEYS = "own-keys"


@pytest.fixture
def s3(bench: Bench, own_cluster: OwnCluster) -> Iterator[ClusterS3]:
    """A server with a bucket for runs, a model and data; its keys are in a Secret."""
    server = own_cluster.another_s3()
    server.make_bucket(BUCKET)
    bench.fill(server)
    hand_out_keys(bench, server)
    yield server
    server.kill()


def hand_out_keys(bench: Bench, server: S3Account) -> None:
    keys = {"AWS_ACCESS_KEY_ID": server.access_key, "AWS_SECRET_ACCESS_KEY": server.secret_key}
    metadata = {"name": KEYS, "namespace": bench.namespace}
    bench.cluster.apply({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": keys})


def kept_in(server: S3Account, bucket: str = BUCKET, secret: str = KEYS) -> dict[str, Any]:
    """The part of a run's spec that names a server."""
    there = {"endpoint": server.endpoint, "region": server.region, "secretName": secret}
    return {"checkpoints": {"storage": {"uri": f"s3://{bucket}", **there}}}


def until_synced(bench: Bench, name: str, status: str) -> dict[str, Any]:
    """Wait until the condition says whether checkpoints reach storage; the condition."""
    said = lambda: bench.condition(name, "Synced").get("status") == status  # noqa: E731
    bench.until(name, said, f"Synced={status}", seconds=60)
    return bench.condition(name, "Synced")


def trains_on(bench: Bench, name: str) -> None:
    step = bench.step(name)
    bench.until(name, lambda: bench.step(name) > step, "training to go on meanwhile", seconds=60)


def test_training_goes_on_while_storage_is_away_and_its_checkpoints_follow(bench: Bench, s3: ClusterS3):
    steps = 440
    script = ("--steps", str(steps), "--step-seconds", "0.25", "--save-every", "20")
    bench.apply("offline", *script, spec=kept_in(s3))
    bench.until_training("offline")
    before = bench.status("offline")["checkpoints"]["latest"]["step"]
    s3.kill()
    killed = time.monotonic()
    assert until_synced(bench, "offline", "False")["reason"] == "StorageUnavailable"
    print(f"the condition tells of it after {time.monotonic() - killed:.1f} s")
    trains_on(bench, "offline")
    # Checkpoints are due all the time: of those that wait, the newest are kept.
    time.sleep(90 - (time.monotonic() - killed))
    s3.start()
    returned = time.monotonic()
    until_synced(bench, "offline", "True")
    print(f"checkpoints reach storage again {time.monotonic() - returned:.1f} s after its return")
    assert bench.status("offline")["checkpoints"]["latest"]["step"] > before
    bench.wait("offline", "Succeeded", 120)
    status = bench.status("offline")
    assert (status["attempt"], status["restarts"], status["infrastructureRestarts"]) == (1, 0, 0)
    assert stored(bench, "offline", s3).weight() == undisturbed(steps)
    assert stored(bench, "offline", s3).store.verify() == ()


def test_a_run_that_begins_while_storage_is_away_waits_for_it_within_its_first_attempt(
    bench: Bench, s3: ClusterS3
):
    s3.kill()
    bench.apply("early", "--steps", "5", spec=kept_in(s3))
    synced = until_synced(bench, "early", "False")
    assert synced["reason"] == "StorageUnavailable"
    assert "cannot be reached: connection refused" in synced["message"]
    s3.start()
    bench.wait("early", "Succeeded", 60)
    assert bench.condition("early", "Synced")["status"] == "True"
    status = bench.status("early")
    assert (status["attempt"], status["infrastructureRestarts"]) == (1, 0)


def test_keys_that_are_revoked_are_told_and_new_ones_are_taken_up_while_the_run_lasts(
    bench: Bench, s3: ClusterS3
):
    steps = 180
    script = ("--steps", str(steps), "--step-seconds", "0.25", "--save-every", "20")
    bench.apply("revoked", *script, spec=kept_in(s3))
    bench.until_training("revoked")
    renewed = s3.revoke_keys()
    synced = until_synced(bench, "revoked", "False")
    assert synced["reason"] == "AccessDenied"
    assert "the keys come from the Secret mounted at /etc/trainjobs/storage-keys" in synced["message"]
    assert s3.secret_key not in str(bench.run("revoked"))
    trains_on(bench, "revoked")
    hand_out_keys(bench, renewed)
    # The kubelet replaces the files of a Secret within two minutes.
    bench.wait("revoked", "Succeeded", 240)
    assert bench.condition("revoked", "Synced")["status"] == "True"
    status = bench.status("revoked")
    assert (status["attempt"], status["restarts"], status["infrastructureRestarts"]) == (1, 0, 0)
    assert stored(bench, "revoked", renewed).weight() == undisturbed(steps)


def test_a_bucket_that_is_missing_is_told_and_the_run_begins_when_there_is_one(bench: Bench):
    s3 = bench.cluster.s3
    later, never = f"{bench.namespace}-later", f"{bench.namespace}-never"
    bench.apply("patient", "--steps", "5", spec=kept_in(s3, later, "bucket"))
    hasty = {**kept_in(s3, never, "bucket"), "runPolicy": {"maxInfrastructureRestarts": 1}}
    bench.apply("hasty", "--steps", "5", spec=hasty)
    synced = until_synced(bench, "patient", "False")
    assert synced["reason"] == "StorageUnusable"
    assert f"there is no bucket '{later}'; make it, or correct the storage URI" in synced["message"]
    s3.make_bucket(later)
    bench.wait("patient", "Succeeded", 90)
    assert bench.condition("patient", "Synced")["status"] == "True"
    assert bench.status("patient")["restarts"] == 0
    bench.wait("hasty", "Failed", 60)
    failed = bench.condition("hasty", "Failed")
    assert failed["reason"] == "RestartsExhausted"
    assert never in failed["message"]
    assert bench.status("hasty")["failure"]["reason"] == "StorageUnusable"
    s3.remove_bucket(later)
