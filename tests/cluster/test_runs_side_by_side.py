"""Many runs at once share nothing but the cluster."""

import json
import time

import pytest

from tests.cluster.bench import BUCKET, Bench
from trainjobs.core.checkpoints.layout import run_prefix

PAIR = ("left", "right")
MANY = 50


def test_two_runs_at_once_share_no_folder_and_no_checkpoint(bench: Bench):
    for name in PAIR:
        bench.apply(name, "--steps", "40", "--step-seconds", "0.25", "--save-every", "8")
    for name in PAIR:
        bench.wait(name, "Succeeded", 150)
    found = {name: bench.run(name) for name in PAIR}
    spans = [(one["status"]["startTime"], one["status"]["completionTime"]) for one in found.values()]
    assert max(begun for begun, _ in spans) < min(ended for _, ended in spans), "they did not overlap"
    for name, one in found.items():
        uid = one["metadata"]["uid"]
        prefix = run_prefix(namespace=bench.namespace, kind=bench.kind, name=name, uid=uid)
        [pod] = bench.pods(name)
        recipe = json.loads(pod["metadata"]["annotations"]["trainjobs.dev/recipe"])
        assert recipe["store"] == f"s3://{BUCKET}/{prefix}"
        status = one["status"]
        for uri in (status["checkpoints"]["latest"]["uri"], status["artifacts"]["model"]):
            assert uri.startswith(f"s3://{BUCKET}/{prefix}/"), uri
        assert any(key.endswith("MANIFEST.json") for key in bench.stored(name, uid))


def memory_of_a_node(bench: Bench) -> int:
    """Bytes that pods may ask for on the smallest node."""
    given = [node["status"]["allocatable"]["memory"] for node in bench.cluster.get("nodes")["items"]]
    return min(int(one.removesuffix("Ki")) for one in given) * 1024


@pytest.mark.alone
def test_fifty_runs_queue_for_room_and_all_finish(bench: Bench):
    # Two pods fit onto each node. They use next to nothing of the memory; a claim to processors instead
    # would take those from the operator, as the nodes share what the machine has.
    spec = {"resources": {"requests": {"memory": str(memory_of_a_node(bench) // 3)}}}
    names = [f"one-of-many-{number}" for number in range(MANY)]
    manifests = [bench.manifest(name, "--steps", "1", "--save-every", "1", spec=spec) for name in names]
    begun = time.monotonic()
    listed = json.dumps({"apiVersion": "v1", "kind": "List", "items": manifests})
    bench.kubectl("apply", "-f", "-", stdin=listed)

    def phases() -> list[str]:
        found = bench.cluster.get(bench.kind, "-n", bench.namespace)["items"]
        return [one.get("status", {}).get("phase", "") for one in found]

    bench.until(names[0], lambda: "Pending" in phases() and "" not in phases(), "some to wait for room", 120)
    print(f"{MANY} runs have a status {time.monotonic() - begun:.1f} s after they were applied")
    bench.until(names[-1], lambda: phases() == ["Succeeded"] * MANY, f"{MANY} runs to succeed", seconds=480)
    print(f"{MANY} runs have succeeded after {time.monotonic() - begun:.1f} s")
    again = [
        bench.story(one["metadata"]["name"])
        for one in bench.cluster.get(bench.kind, "-n", bench.namespace)["items"]
        if one["status"]["attempt"] != 1
    ]
    assert again == [], "\n\n".join(again)
    assert len(bench.cluster.get("pytorchjobs", "-n", bench.namespace)["items"]) == MANY
    for one in bench.cluster.get(bench.kind, "-n", bench.namespace)["items"]:
        assert "result.json" in bench.stored(one["metadata"]["name"], one["metadata"]["uid"])
