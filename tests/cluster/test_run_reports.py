"""A pod speaks for its own run, attempt and node, and for nothing else."""

from tests.cluster.bench import Bench
from tests.cluster.heartbeats import heartbeat, spoken, spoken_by_stranger

SCRIPT = ("--steps", "6000", "--step-seconds", "0.25", "--save-every", "40")


def test_a_pod_cannot_report_for_another_run_attempt_or_node(bench: Bench):
    for name in ("honest", "victim"):
        bench.apply(name, *SCRIPT)
    for name in ("honest", "victim"):
        bench.until_training(name)
    own, victim = bench.run("honest"), bench.run("victim")
    [pod] = [one["metadata"]["name"] for one in bench.pods("honest")]
    for stolen in (
        heartbeat(victim),
        heartbeat(own, attempt=2),
        heartbeat(own, nodeRank=1),
    ):
        answer = spoken(bench, pod, stolen)
        assert answer.startswith("403"), answer
        assert "a pod speaks for its own run, attempt and node only" in answer
    assert spoken(bench, pod, heartbeat(victim), token="").startswith("401")
    assert spoken(bench, pod, heartbeat(own, progress=None)) == "200"
    # Nothing of the lies is in a status.
    for name in ("honest", "victim"):
        assert bench.status(name)["attempt"] == 1
        assert bench.step(name) < 5999


def test_a_pod_that_belongs_to_no_run_cannot_report_at_all(bench: Bench):
    bench.apply("target", *SCRIPT)
    bench.until_training("target")
    target = bench.run("target")
    answers = spoken_by_stranger(bench, target, bench.pods("target")[0])
    assert answers["token"].startswith("403"), answers
    assert answers["ordinary"].startswith("401"), answers
    assert bench.step("target") < 5999
