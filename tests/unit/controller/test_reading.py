from pathlib import Path

import yaml

from trainjobs.controller.reading import Unreadable, not_known, read_run, what_is_left
from trainjobs.core.plan.objects import Object, child

MANIFEST = Path(__file__).parents[3] / "examples" / "reward-model" / "review-ratings.yaml"
FINISHED = {
    "type": "Finished",
    "status": "True",
    "reason": "Succeeded",
    "lastTransitionTime": "2026-01-02T00:00:00Z",
    "severity": "None",
}


def newer_run() -> Object:
    """A finished run as the API server hands it out under the CRDs of a newer version."""
    obj: Object = yaml.safe_load(MANIFEST.read_text(encoding="utf-8"))
    child(obj, "metadata").update(uid="1a2b3c4d-5e6f", namespace="ml", managedFields=[{"manager": "kubectl"}])
    training = child(child(obj, "spec"), "training")
    obj["spec"] = {**child(obj, "spec"), "training": {**training, "optimizerWarmth": 0.5}}
    obj["status"] = {
        "phase": "Archived",
        "attempt": 1,
        "storage": {"uri": "s3://runs", "region": "eu-west-1"},
        "display": {"progress": "100 %", "cost": "3 USD"},
        "findings": [{"code": "odd", "severity": "Curious", "message": "new in that version"}],
        "signatures": ["x"],
        "conditions": [FINISHED],
    }
    return obj


def test_a_finished_run_of_a_newer_operator_stays_finished() -> None:
    run = read_run(newer_run())

    assert not isinstance(run, Unreadable)
    assert [(one.type, one.status) for one in run.status.conditions] == [("Finished", "True")]
    assert run.status.display.progress == "100 %"
    assert run.status.findings == []
    assert run.status.document()["signatures"] == ["x"]


def test_a_default_that_only_newer_crds_know_makes_no_run_unreadable() -> None:
    obj = newer_run()

    assert not isinstance(read_run(obj), Unreadable)
    assert not_known(obj) == ("spec.training.optimizerWarmth",)


def test_a_value_that_this_version_cannot_take_is_named() -> None:
    obj = newer_run()
    child(child(obj, "spec"), "training")["precision"] = "FP2"

    run = read_run(obj)

    assert isinstance(run, Unreadable)
    assert "spec.training.precision" in run.problems


def test_what_a_deletion_needs_is_left_of_a_run_that_cannot_be_read() -> None:
    obj = newer_run()
    child(obj, "metadata").update(name="n" * 50, deletionTimestamp="2026-01-02T00:00:00Z")
    policy = {"deletionPolicy": "Delete", "queueName": "team", "onOutOfMemory": "Pray"}
    obj["spec"] = {"runPolicy": policy, "topology": {"nodes": 2, "strategy": 1}, "baseModel": 7}

    run = what_is_left(obj)

    assert isinstance(read_run(obj), Unreadable)
    assert (run.kind, run.metadata.name, run.metadata.uid) == ("RewardModelRun", "n" * 50, "1a2b3c4d-5e6f")
    assert (run.spec.run_policy.deletion_policy, run.spec.run_policy.queue_name) == ("Delete", "team")
    assert run.spec.topology.nodes == 2
    assert run.status.storage is not None
    assert run.status.storage.uri == "s3://runs"


def test_of_a_policy_that_cannot_be_read_no_data_is_deleted() -> None:
    for policy in ({"deletionPolicy": "Burn"}, "Delete", None):
        obj = newer_run()
        obj["spec"] = {**child(obj, "spec"), "runPolicy": policy}

        assert what_is_left(obj).spec.run_policy.deletion_policy == "Retain"
