from pathlib import Path

import yaml

from trainjobs.controller.reading import Unreadable, not_known, read_run
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
