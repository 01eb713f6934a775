"""Programs of several machines agree on what they run."""

from tests.unit.local.conftest import MakeRun
from trainjobs.local.wire import fingerprint


def test_the_same_manifest_in_another_folder_has_the_same_fingerprint(make_run: MakeRun) -> None:
    here = make_run("r", train="file:///home/a/data/train.jsonl")
    there = make_run("r", train="file:///srv/b/data/train.jsonl")
    assert fingerprint(here) == fingerprint(there)


def test_another_field_has_another_fingerprint(make_run: MakeRun) -> None:
    run = make_run("r")
    training = run.spec.training.model_copy(update={"learning_rate": 0.5})
    changed = run.model_copy(update={"spec": run.spec.model_copy(update={"training": training})})
    assert fingerprint(run) != fingerprint(changed)
