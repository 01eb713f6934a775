"""How long a run may take, and how long what it leaves in the cluster stays."""

from tests.cluster.operator_fixture import Bench, seconds_between

ENDLESS = ("--steps", "6000", "--step-seconds", "0.25", "--save-every", "8")


def test_a_run_past_its_deadline_fails_and_keeps_its_checkpoints(bench: Bench):
    # Counted from the first attempt: long enough for a slow machine to save something.
    bench.apply("late", *ENDLESS, spec={"runPolicy": {"activeDeadlineSeconds": 25}})
    bench.wait("late", "Failed", 90)
    failed = bench.condition("late", "Failed")
    assert (failed["reason"], failed["message"]) == ("DeadlineExceeded", "not finished within 25 s")
    bench.until_gone("pytorchjobs", 60)
    bench.until_gone("pods", 60)
    found = bench.run("late")
    assert found["status"]["failure"]["advice"]
    assert found["status"]["attempt"] == 1
    stored = bench.stored("late", found["metadata"]["uid"])
    assert any(key.endswith("MANIFEST.json") for key in stored)
    assert "result.json" not in stored
    created = found["metadata"]["creationTimestamp"]
    print("the deadline of 25 s came after", seconds_between(created, failed["lastTransitionTime"]), "s")


def test_a_finished_runs_pods_go_after_a_while_and_the_run_stays(bench: Bench):
    bench.apply("tidy", "--steps", "5", spec={"runPolicy": {"ttlSecondsAfterFinished": 5}})
    bench.wait("tidy", "Succeeded", 90)
    bench.until_gone("pytorchjobs", 60)
    bench.until_gone("pods", 60)
    found = bench.run("tidy")
    assert found["status"]["phase"] == "Succeeded"
    assert found["status"]["artifacts"]["model"]
    assert "result.json" in bench.stored("tidy", found["metadata"]["uid"])
