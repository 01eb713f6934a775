"""Files are taken apart as kubectl takes them: lists item by item, and what is no run passed over."""

import pytest

from tests.unit.api.test_manifest import GOOD
from trainjobs.api.manifest import check, read

SECRET = "apiVersion: v1\nkind: Secret\nmetadata:\n  name: keys\n"


def listed(*objects: str, head: str = "apiVersion: v1\nkind: List\n") -> str:
    indented = ["".join(f"    {line}\n" for line in one.splitlines()) for one in objects]
    return f"{head}items:\n" + "".join(f"  -\n{one}" for one in indented)


def test_the_items_of_a_list_are_objects_of_their_own():
    text = listed(GOOD, SECRET, listed(GOOD.replace("scores", "other")))
    found = check(text, "m.yaml", ["spec.training.epochs=2"])
    assert found.faults == ()
    assert [(run.metadata.name, run.spec.training.epochs) for run in found.runs] == [
        ("scores", 2),
        ("other", 2),
    ]
    assert [str(one) for one in found.passed_over] == [
        "m.yaml line 22: Secret keys is no run and is passed over; kubectl apply takes it along"
    ]


def test_a_mistake_in_an_item_has_the_line_of_the_file_and_the_field_of_the_run():
    text = listed(
        SECRET,
        GOOD.replace("1e-5", "fast")
        .replace("train: s3", "train: &x s3")
        .replace("uri: hf", "uri: 1\n    uri: hf"),
    )
    assert [str(fault) for fault in check(text, "m.yaml").faults] == [
        "m.yaml line 17: spec.baseModel.uri: stands twice (first on line 16); remove one",
        "m.yaml line 21: spec.training.learningRate: 'fast' is not allowed; give a number",
    ]


def test_a_list_of_one_kind_gives_its_items_that_kind():
    bare = GOOD.partition("metadata:")
    (run,) = read(
        listed(f"metadata:{bare[2]}", head="apiVersion: trainjobs.dev/v1alpha1\nkind: RewardModelRunList\n"),
        "m",
    )
    assert (run.kind, run.metadata.name) == ("RewardModelRun", "scores")


@pytest.mark.parametrize("item", ["null", "5", "[]"])
def test_an_item_that_is_no_object_is_refused(item: str):
    (fault,) = check(f"apiVersion: v1\nkind: List\nitems:\n- {item}\n", "m").faults
    assert str(fault) == f"m line 4: {item} is not a run; write apiVersion, kind, metadata and spec"


def test_items_that_stand_twice_are_not_lost():
    text = listed(GOOD) + "items: []\n"
    assert "m line 21: items: stands twice (first on line 3); remove one" in [
        str(one) for one in check(text, "m").faults
    ]


@pytest.mark.parametrize(
    "head",
    [
        "apiVersion: v1\nkind: RewardModelRun\n",
        "apiVersion: trainjob.dev/v1alpha1\nkind: Run\n",
        "apiVersion: trainjobs.dev/v1alpha1\nkind: RewardRun\n",
        "kind: Secret\n",
        "apiVersion: v1\n",
    ],
)
def test_what_is_probably_a_run_misspelt_is_refused_and_not_passed_over(head: str):
    found = check(f"{head}metadata: {{name: a}}\n---\n{GOOD}", "m")
    assert found.faults
    assert found.passed_over == ()


def test_an_override_is_for_runs_only():
    text = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a}}\nspec: text\n---\n{GOOD}"
    (run,) = read(text, "m", ["spec.training.epochs=2"])
    assert run.spec.training.epochs == 2
