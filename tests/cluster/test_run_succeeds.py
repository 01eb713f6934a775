"""From `kubectl apply` to a model in storage, and what kubectl shows on the way."""

import time

from tests.cluster.bench import Bench, seconds_between


def test_an_applied_run_trains_and_succeeds(bench: Bench):
    bench.apply("light", "--steps", "40", "--step-seconds", "0.3", "--save-every", "10")
    bench.until_training("light")
    # While it runs, heartbeats reach the status server: progress before any pod has ended.
    assert {pod["status"]["phase"] for pod in bench.pods("light")} == {"Running"}
    assert bench.status("light")["progress"]["totalSteps"] == 40
    bench.kubectl("wait", "rmrun/light", "--for=condition=Succeeded", "--timeout=120s")
    found = bench.run("light")
    stored = bench.stored("light", found["metadata"]["uid"])
    assert "result.json" in stored
    assert "artifacts/model-a0001/config.json" in stored
    assert any(key.startswith("checkpoints/step-00000040-a0001/MANIFEST") for key in stored)
    header, row = bench.kubectl("get", "rmrun").splitlines()
    assert header.split() == ["NAME", "PHASE", "PROGRESS", "STEP", "LOSS", "ETA", "RESTARTS", "AGE"]
    assert row.split()[:4] == ["light", "Succeeded", "100%", "40/40"]
    assert "light" in bench.kubectl("get", "trainruns")
    created = found["metadata"]["creationTimestamp"]
    job = bench.cluster.get("pytorchjobs", "-n", bench.namespace)["items"][0]
    print("from apply to the job:", seconds_between(created, job["metadata"]["creationTimestamp"]), "s")


def test_a_run_of_two_nodes_meets_by_torchrun_and_succeeds(bench: Bench):
    spec = {"topology": {"nodes": 2, "processesPerNode": 1}}
    manifest = bench.manifest(
        "pair", "--steps", "30", "--step-seconds", "0.3", "--save-every", "10", spec=spec
    )
    # torchrun starts the script on each node.
    bench.add_torch(manifest)
    begun = time.monotonic()
    bench.apply_manifest(manifest)
    bench.until("pair", lambda: bench.status("pair").get("job"), "the job")
    print(f"from apply to the job: {time.monotonic() - begun:.1f} s")
    bench.until("pair", lambda: bench.step("pair") > 0, "the first step", seconds=150)
    print(f"from apply to the first step in the status: {time.monotonic() - begun:.1f} s")
    assert len({pod["spec"]["nodeName"] for pod in bench.pods("pair")}) == 2
    for pod in bench.pods("pair"):
        show = ("exec", pod["metadata"]["name"], "--", "sh", "-c", "cat /proc/[0-9]*/cmdline")
        assert "torch.distributed.run" in bench.kubectl(*show)
    bench.kubectl("wait", "rmrun/pair", "--for=condition=Succeeded", "--timeout=120s")
    stored = bench.stored("pair", bench.run("pair")["metadata"]["uid"])
    assert {"result.json", "artifacts/model-a0001/config.json"} <= set(stored)
    row = bench.kubectl("get", "rmrun", "pair", "--no-headers").split()
    assert row[:4] == ["pair", "Succeeded", "100%", "30/30"]
