"""A run whose nodes each save a part of every checkpoint: storage has all of it, and goes on from that."""

import signal

from tests.cluster.bench import Bench
from tests.cluster.stored import stored

STEPS = 100
SCRIPT = ("--together", "--shards", "--steps", str(STEPS), "--step-seconds", "0.25", "--save-every", "10")
SPEC = {"topology": {"nodes": 2, "processesPerNode": 1}, "checkpoints": {"keepLatest": 100}}


def undisturbed(steps: int) -> float:
    """What node 0 learns in so many steps, with node 1 at its side, to the last bit."""
    first = second = 0.0
    for _ in range(steps):
        shared = 0.1 * (((3.0 - first) + (3.0 - second)) / 2)
        first += shared
        second += shared * 2
    return first


def test_a_run_whose_nodes_each_have_a_part_goes_on_from_storage_as_if_nothing_had_been(bench: Bench) -> None:
    manifest = bench.manifest("shards", *SCRIPT, spec=SPEC)
    bench.add_torch(manifest)
    bench.apply_manifest(manifest)
    bench.until_training("shards", seconds=150)
    both = bench.pods("shards", 1)
    assert len({pod["spec"]["nodeName"] for pod in both}) == 2
    assert bench.signal_training(both[1], signal.SIGKILL) == 1
    bench.until(
        "shards", lambda: "resumed at step" in bench.log_or_none("shards", 2), "the resume", seconds=150
    )

    bench.wait("shards", "Succeeded", 150)
    assert bench.status("shards")["attempt"] == 2
    found = stored(bench, "shards")
    assert 0 < found.resumed(2) < STEPS
    assert found.weight() == undisturbed(STEPS)
    assert found.store.verify() == ()
    manifests = found.store.complete()
    assert max(manifests).step == STEPS
    for ref, whole in manifests.items():
        paths = {entry.path for entry in whole.files}
        assert {"shard-0.json", "parts/0001/shard-1.json"} <= paths, ref
