"""What a new attempt would not mend fails at once, and says why."""

from tests.cluster.bench import Bench, seconds_between


def test_a_bad_row_fails_the_run_without_another_try_and_says_where(bench: Bench):
    bench.apply("bad", file="bad_row.py")
    bench.wait("bad", "Finished", 60)
    status = bench.status("bad")
    assert status["phase"] == "Failed"
    assert bench.condition("bad", "Failed")["reason"] == "InvalidData"
    assert (status["attempt"], status.get("restarts", 0)) == (1, 0)
    failure = status["failure"]
    assert failure["exitCode"] == 11
    assert "rows.jsonl line 17: scores.accuracy is 7, outside 0…5" in failure["message"]
    assert failure["lastLines"].splitlines()[0] == "reading rows.jsonl"
    created = bench.run("bad")["metadata"]["creationTimestamp"]
    assert seconds_between(created, bench.condition("bad", "Finished")["lastTransitionTime"]) < 60
    assert len(bench.cluster.get("pytorchjobs", "-n", bench.namespace)["items"]) == 1
    assert "InvalidData" in bench.kubectl("describe", "rmrun", "bad")


def test_a_node_that_the_kernel_kills_for_memory_says_so_with_advice(bench: Bench):
    spec = {"resources": {"limits": {"memory": "200Mi"}}, "runPolicy": {"maxRestarts": 0}}
    bench.apply("hungry", "--fail-at", "3", "--how", "kernel-memory", spec=spec)
    bench.wait("hungry", "Failed", 90)
    failure = bench.status("hungry")["failure"]
    assert failure["reason"] == "HostOutOfMemory"
    assert "spec.resources.limits.memory" in failure["advice"]
