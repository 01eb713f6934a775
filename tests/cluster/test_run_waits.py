"""What keeps a run from starting is in its conditions, in the words of whoever holds it up."""

import time
from collections.abc import Iterator

import pytest

from tests.cluster.bench import Bench
from tests.cluster.slots import slots

ALONE_SECONDS = 20
"""How long one node is there and the other is not."""


@pytest.fixture
def slot(bench: Bench) -> Iterator[str]:
    """A resource of which the cluster has one."""
    resource = f"tests.trainjobs.dev/{bench.namespace}"
    slots(bench, resource, 1)
    yield resource
    slots(bench, resource, 0)


def test_a_pod_that_fits_nowhere_is_said_in_the_schedulers_words(bench: Bench):
    bench.apply("large", spec={"resources": {"requests": {"cpu": "500"}}})

    def said() -> bool:
        return "Insufficient cpu" in bench.condition("large", "Scheduled").get("message", "")

    bench.until("large", said, "the scheduler's message", seconds=30)
    assert bench.condition("large", "Scheduled")["status"] == "False"


def test_an_image_that_cannot_be_pulled_is_said_in_the_kubelets_words(bench: Bench):
    manifest = bench.manifest("imageless")
    manifest["spec"]["runtime"]["image"] = "registry.invalid/none:1"
    bench.apply_manifest(manifest)

    def said() -> bool:
        message = bench.condition("imageless", "Running").get("message", "")
        return "registry.invalid/none:1" in message and ("ErrImagePull" in message or "BackOff" in message)

    bench.until("imageless", said, "the kubelet's message", seconds=30)


def test_a_missing_secret_is_said_and_the_run_goes_on_when_it_appears(bench: Bench):
    bench.kubectl("delete", "secret", "bucket")
    bench.apply("keyless", "--steps", "5")

    def said() -> bool:
        return 'secret "bucket" not found' in bench.condition("keyless", "Running").get("message", "")

    bench.until("keyless", said, "the kubelet's message", seconds=30)
    bench.prepare()
    bench.wait("keyless", "Succeeded", 90)
    assert bench.status("keyless")["attempt"] == 1


def uids(bench: Bench, name: str) -> list[str]:
    return [pod["metadata"]["uid"] for pod in bench.pods(name)]


def test_a_node_waits_for_the_one_that_finds_no_room_and_both_train_when_there_is(bench: Bench, slot: str):
    spec = {
        "topology": {"nodes": 2, "processesPerNode": 1},
        "resources": {"requests": {slot: "1"}},
        # Who gave up would spend one: then the run has failed.
        "runPolicy": {"maxRestarts": 0, "maxInfrastructureRestarts": 0},
    }
    manifest = bench.manifest("pair", "--together", "--steps", "20", "--save-every", "10", spec=spec)
    bench.add_torch(manifest)
    bench.apply_manifest(manifest)

    def alone() -> bool:
        there = [pod for pod in bench.pods("pair") if pod["status"]["phase"] == "Running"]
        said = bench.condition("pair", "Scheduled").get("message", "")
        return len(there) == 1 and "1 of 2 nodes have a machine" in said and "Insufficient" in said

    bench.until("pair", alone, "one node to be there alone")
    [there] = [pod for pod in bench.pods("pair") if pod["status"]["phase"] == "Running"]
    name = there["metadata"]["name"]
    if name.endswith("-0"):
        waits = "node 0 waits for node 1: 1 of 2 are there"
        told = lambda: waits in bench.condition("pair", "Running").get("message", "")  # noqa: E731
        bench.until("pair", told, "it to wait for the other, and to say so")
    before, begun = uids(bench, "pair"), time.monotonic()
    while time.monotonic() < begun + ALONE_SECONDS:
        running = bench.kubectl("exec", name, "--", "sh", "-c", "cat /proc/[0-9]*/cmdline")
        assert "torch.distributed.run" not in running, "launched, and its patience runs out"
        assert (uids(bench, "pair"), bench.status("pair")["attempt"]) == (before, 1)
        time.sleep(1)

    slots(bench, slot, 2)
    bench.until("pair", lambda: bench.step("pair") > 0, "the first step", seconds=240)
    bench.wait("pair", "Succeeded", 120)
    status = bench.status("pair")
    assert (status["attempt"], status.get("restarts", 0), status.get("infrastructureRestarts", 0)) == (
        1,
        0,
        0,
    )
    assert uids(bench, "pair") == before
