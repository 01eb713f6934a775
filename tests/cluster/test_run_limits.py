"""How long a run may take, and how long what it leaves in the cluster stays."""

import json
from datetime import UTC, datetime

from tests.cluster.bench import Bench

ENDLESS = ("--steps", "6000", "--step-seconds", "0.25", "--save-every", "8")


def test_a_deadline_given_to_a_running_run_ends_it_and_leaves_its_checkpoints(bench: Bench):
    bench.apply("late", *ENDLESS)
    bench.until_training("late")
    begun = datetime.fromisoformat(bench.status("late")["startTime"])
    seconds = round((datetime.now(UTC) - begun).total_seconds()) + 8
    deadline = json.dumps({"spec": {"runPolicy": {"activeDeadlineSeconds": seconds}}})
    bench.kubectl("patch", "rmrun", "late", "--type=merge", "-p", deadline)
    bench.wait("late", "Failed", 60)
    failed = bench.condition("late", "Failed")
    assert (failed["reason"], failed["message"]) == ("DeadlineExceeded", f"not finished within {seconds} s")
    bench.until_gone("pytorchjobs", 60)
    bench.until_gone("pods", 60)
    found = bench.run("late")
    assert found["status"]["failure"]["advice"]
    assert found["status"]["attempt"] == 1
    stored = bench.stored("late", found["metadata"]["uid"])
    assert any(key.endswith("MANIFEST.json") for key in stored)
    assert "result.json" not in stored
    ended = datetime.fromisoformat(failed["lastTransitionTime"])
    print(f"a deadline of {seconds} s came after {(ended - begun).total_seconds():.1f} s")


def test_a_finished_runs_pods_go_after_a_while_and_the_run_stays(bench: Bench):
    bench.apply("tidy", "--steps", "5", spec={"runPolicy": {"ttlSecondsAfterFinished": 5}})
    bench.wait("tidy", "Succeeded", 90)
    bench.until_gone("pytorchjobs", 60)
    bench.until_gone("pods", 60)
    found = bench.run("tidy")
    assert found["status"]["phase"] == "Succeeded"
    assert found["status"]["artifacts"]["model"]
    assert "result.json" in bench.stored("tidy", found["metadata"]["uid"])
