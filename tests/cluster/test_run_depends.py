"""A run that starts from another waits for it, starts by itself when it has succeeded, and fails with it."""

import json
from typing import Any

from tests.cluster.bench import Bench, seconds_between

FIRST = ("--steps", "10", "--step-seconds", "0.5", "--save-every", "5")
SECOND = ("--steps", "5")
ENDLESS = ("--steps", "6000", "--step-seconds", "0.5")


def starts_from(kind: str, name: str, **more: str) -> dict[str, Any]:
    return {"baseModel": {"fromRun": {"kind": kind, "name": name, **more}}}


def rewarded_by(name: str) -> dict[str, Any]:
    reward = {"model": {"fromRun": {"kind": "RewardModelRun", "name": name}}}
    return {"algorithm": {"type": "GRPO", "rewards": [reward]}}


def waits(bench: Bench, name: str, reason: str) -> str:
    """Wait until a run waits for another one for this reason; what it says of it."""

    def found() -> str:
        condition = bench.condition(name, "DependenciesReady")
        waiting = (condition.get("status"), condition.get("reason")) == ("False", reason)
        return str(condition["message"]) if waiting else ""

    return bench.until(name, found, f"{name} to wait for another run: {reason}", 30)


def test_a_run_waits_for_the_model_of_another_and_starts_by_itself(bench: Bench):
    aligned, tuned = bench.of("RLHFRun"), bench.of("SFTRun")
    aligned.apply("aligned", *SECOND, spec=starts_from("SFTRun", "tuned"))
    said = waits(aligned, "aligned", "DependencyMissing")
    assert said == "waits for SFTRun tuned, which does not exist yet"
    assert aligned.status("aligned")["phase"] == "Waiting"
    tuned.apply("tuned", *FIRST)
    waits(aligned, "aligned", "WaitingForDependency")
    assert aligned.pods("aligned") == []
    assert [job["metadata"]["labels"]["trainjobs.dev/run-name"] for job in jobs(bench)] == ["tuned"]
    aligned.wait("aligned", "Succeeded", 150)
    model = tuned.status("tuned")["artifacts"]["model"]
    assert aligned.status("aligned")["dependencies"] == [
        {"kind": "SFTRun", "name": "tuned", "checkpoint": "Best", "uri": model}
    ]
    recipe = json.loads(aligned.pods("aligned")[0]["metadata"]["annotations"]["trainjobs.dev/recipe"])
    assert recipe["model"]["uri"] == model
    ended = tuned.condition("tuned", "Succeeded")["lastTransitionTime"]
    begun = next(one for one in jobs(bench) if "aligned" in one["metadata"]["name"])["metadata"]
    took = seconds_between(ended, begun["creationTimestamp"])
    print(f"from the first run's end to the second's job: less than {took + 1:.1f} s")


def test_a_run_fails_with_the_one_it_waits_for(bench: Bench):
    dependent = bench.of("RLHFRun")
    bench.apply("spoilt", file="bad_row.py")
    dependent.apply("heir", spec=rewarded_by("spoilt"))
    dependent.wait("heir", "Failed", 90)
    failed = dependent.condition("heir", "Failed")
    assert failed["reason"] == "DependencyFailed"
    words = "spec.algorithm.rewards[0].model.fromRun: RewardModelRun spoilt has failed"
    assert failed["message"] == words
    assert dependent.status("heir")["failure"]["message"] == words
    assert dependent.pods("heir") == []


def test_a_run_fails_when_the_one_it_waits_for_is_deleted(bench: Bench):
    dependent = bench.of("RLHFRun")
    bench.apply("withdrawn", *ENDLESS)
    dependent.apply("orphan", spec=rewarded_by("withdrawn"))
    waits(dependent, "orphan", "WaitingForDependency")
    bench.kubectl("delete", "rmrun", "withdrawn", "--wait=false")
    dependent.wait("orphan", "Failed", 60)
    failed = dependent.condition("orphan", "Failed")
    assert failed["reason"] == "DependencyMissing"
    assert "RewardModelRun withdrawn was deleted" in failed["message"]
    assert dependent.pods("orphan") == []


def test_a_reference_never_leaves_the_namespace(bench: Bench):
    # There is no field for another one: kubectl refuses it, and so does whoever is more lenient.
    dependent = bench.of("RLHFRun")
    manifest = json.dumps(dependent.manifest("abroad", spec=starts_from("SFTRun", "chat", namespace="other")))
    refused = bench.cluster.try_kubectl("apply", "-f", "-", stdin=manifest)
    assert refused.returncode != 0
    assert 'unknown field "spec.baseModel.fromRun.namespace"' in refused.stderr
    named = json.dumps(dependent.manifest("abroad", spec=starts_from("SFTRun", "other/chat")))
    refused = bench.cluster.try_kubectl("apply", "-f", "-", stdin=named)
    assert refused.returncode != 0
    assert "spec.baseModel.fromRun.name" in refused.stderr
    bench.kubectl("apply", "--validate=false", "-f", "-", stdin=manifest)
    # What is not known is dropped: the run waits for one of its own namespace.
    assert dependent.run("abroad")["spec"]["baseModel"]["fromRun"].keys() == {"kind", "name", "checkpoint"}
    waits(dependent, "abroad", "DependencyMissing")


def jobs(bench: Bench) -> list[dict[str, Any]]:
    return list(bench.cluster.get("pytorchjobs", "-n", bench.namespace)["items"])
