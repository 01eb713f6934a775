# ruff: noqa: E501  # messages stand as they are said, unbroken
"""Bad manifests and what is said of them: the file, the line, the field, and the fix."""

import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from trainjobs.api.manifest import change_problems, check, read
from trainjobs.api.runs import RewardModelRun
from trainjobs.errors import InvalidRecipe, UsageError

GOOD = """\
apiVersion: trainjobs.dev/v1alpha1
kind: RewardModelRun
metadata:
  name: scores
spec:
  baseModel:
    uri: hf://org/base
  dataset:
    train: s3://bucket/train.jsonl
  training:
    learningRate: 1e-5
  objective:
    type: Regression
    regression:
      dimensions:
        - name: accuracy
"""


def _said(text: str, *overrides: str) -> list[str]:
    return [str(fault) for fault in check(text, "rmrun.yaml", overrides).faults]


def test_a_good_manifest_becomes_a_run():
    (run,) = read(GOOD, "rmrun.yaml")
    assert isinstance(run, RewardModelRun)
    assert run.spec.training.learning_rate == 1e-5


def test_several_documents_become_several_runs():
    assert [run.metadata.name for run in read(f"{GOOD}---\n{GOOD.replace('scores', 'other')}", "f")] == [
        "scores",
        "other",
    ]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "    learningRate: 1e-5",
            "    lerningRate: 1e-5",
            "line 11: spec.training.lerningRate: there is no such field; did you mean learningRate?",
        ),
        (
            "    learningRate: 1e-5",
            "    learning_rate: 1e-5",
            "line 11: spec.training.learning_rate: there is no such field; write it in camelCase: learningRate",
        ),
        (
            "  training:",
            "  epochs: 3\n  training:",
            "line 10: spec.epochs: there is no such field here; did you mean spec.training.epochs?",
        ),
        ("1e-5", "fast", "line 11: spec.training.learningRate: 'fast' is not allowed; give a number"),
        ("1e-5", "-1", "line 11: spec.training.learningRate: -1 is not allowed; give a number above 0"),
        ("1e-5", ".nan", "line 11: spec.training.learningRate: .nan is not a number that can be used; give a finite one"),
        (
            "  training:",
            "  topology: {nodes: 0}\n  training:",
            "line 10: spec.topology.nodes: 0 is not allowed; give a number of at least 1",
        ),
        (
            "  training:",
            "  topology:\n  - nodes\n  training:",
            'line 10: spec.topology: ["nodes"] is not allowed; give a mapping of fields',
        ),
        (
            "    learningRate: 1e-5",
            "    precision: half",
            "line 11: spec.training.precision: 'half' is not allowed; give Auto, FP32, BF16 or FP16",
        ),
        (
            "    train: s3://bucket/train.jsonl",
            "    eval: s3://bucket/e",
            "line 8: spec.dataset.train: is missing; add it: file:///path, file://./path beside the manifest, "
            "s3://bucket/path, pvc://claim/path, hf://org/name or configMap://name/key",
        ),
        (
            "    regression:",
            "    pairwise: {}\n    regression:",
            "line 14: spec.objective.pairwise: only allowed with spec.objective.type Pairwise; "
            "remove it or set type: Pairwise",
        ),
        (
            "    uri: hf://org/base",
            "    uri: file:///models/../../etc",
            "line 7: spec.baseModel.uri: '..' is not allowed in a path; give the path without it",
        ),
        (
            "name: accuracy",
            "name: accuracy\n          minimum: 5\n          maximum: 1",
            "line 16: spec.objective.regression.dimensions[0]: minimum must be below maximum; swap or correct them",
        ),
        ("kind: RewardModelRun", "kind: RewardRun", "line 2: kind: 'RewardRun' is not known; did you mean RewardModelRun?"),
        (
            "kind: RewardModelRun",
            "kind: Pod",
            "line 2: kind: 'Pod' is not known; give one of RewardModelRun, SFTRun, RLHFRun, PretrainRun",
        ),
        ("v1alpha1", "v1", "line 1: apiVersion: 'trainjobs.dev/v1' is not allowed; give trainjobs.dev/v1alpha1"),
        (
            "name: scores",
            "name: Scores",
            "line 4: metadata.name: give at most 40 lower-case letters, digits and '-', beginning with a letter",
        ),
        ("  name: scores", "  labels: {}", "line 3: metadata.name: is missing; add it: text (in quotes where YAML would "
         "read a number or a yes)"),
    ],
)  # fmt: skip
def test_one_mistake_is_one_line(old: str, new: str, said: str):
    assert _said(GOOD.replace(old, new, 1)) == [f"rmrun.yaml {said}"]


@pytest.mark.parametrize("text", ["", "\n\n", "# nothing\n", "---\n---\n"])
def test_an_empty_file_holds_no_run(text: str):
    assert _said(text) == ["rmrun.yaml: holds no run; write one, with apiVersion, kind, metadata and spec"]


def test_text_that_is_not_yaml_is_refused_with_its_line():
    assert _said("a: 1\nb: [1,\nc: 2\n")[0].startswith("rmrun.yaml line 4: not YAML: ")


def test_all_mistakes_are_said_at_once_in_the_order_of_the_lines():
    text = GOOD.replace("1e-5", "x").replace("s3://bucket", "bucket").replace("name: accuracy", "name: 1")
    said = _said(f"{text}---\nkind: Pod\n")
    assert [re.match(r"rmrun.yaml line (\d+)", line)[1] for line in said] == ["9", "11", "16", "18", "18"]
    with pytest.raises(InvalidRecipe) as refused:
        read(text, "rmrun.yaml")
    assert str(refused.value).splitlines() == said[:3]


def test_rules_of_sound_parts_are_judged_beside_other_mistakes():
    text = GOOD.replace("learningRate: 1e-5", "x: 1").replace(
        "    uri: hf://org/base", "    trustRemoteCode: true"
    )
    assert [line.partition(": ")[2] for line in _said(text)] == [
        "spec.baseModel: a model needs exactly one of uri and fromRun; give one and remove the other",
        "spec.training.x: there is no such field; known here: "
        + _said(text)[1].rpartition("known here: ")[2],
    ]


def test_what_kubectl_adds_is_passed_over():
    text = GOOD.replace(
        "  name: scores",
        "  name: scores\n  uid: u\n  resourceVersion: '7'\n  generation: 2\n  creationTimestamp: 2026-01-01T00:00:00Z\n"
        "  managedFields: [{manager: kubectl}]",
    )
    (run,) = read(f"{text}status: {{phase: Running}}\n", "f")
    assert (run.metadata.uid, run.metadata.generation, run.status.phase) == ("u", 2, "")


def test_null_is_no_value():
    (run,) = read(GOOD.replace("    learningRate: 1e-5", "    epochs:\n    learningRate: null"), "f")
    assert (run.spec.training.epochs, run.spec.training.learning_rate) == (None, 1e-5)


def test_a_field_that_is_not_known_is_refused_without_a_value_too():
    assert _said(GOOD.replace("    learningRate: 1e-5", "    lerningRate:")) == [
        "rmrun.yaml line 11: spec.training.lerningRate: there is no such field; did you mean learningRate?"
    ]


def test_an_override_replaces_one_value():
    (run,) = read(GOOD, "f", ["spec.training.epochs=2", 'spec.resources.limits["nvidia.com/gpu"]=8',
                              "spec.objective.regression.dimensions[0].maximum=10"])  # fmt: skip
    assert isinstance(run, RewardModelRun)
    assert (run.spec.training.epochs, run.spec.resources.limits) == (2, {"nvidia.com/gpu": 8})
    assert run.spec.objective.regression is not None
    assert run.spec.objective.regression.dimensions[0].maximum == 10


def test_a_wrong_override_is_named_instead_of_a_line():
    assert _said(GOOD, "spec.training.epochs=many") == [
        "rmrun.yaml (--set spec.training.epochs=many): spec.training.epochs: 'many' is not allowed; give a number"
    ]


@pytest.mark.parametrize(
    "assignment",
    ["", "=1", "spec.training.epochs", "spec..x=1", "spec.dataset.train.x=1", "spec.training[0]=1"],
)
def test_an_override_that_leads_nowhere_is_refused(assignment: str):
    with pytest.raises(UsageError, match="--set"):
        check(GOOD, "f", [assignment])


def test_what_an_alias_stands_for_is_overridden_once():
    text = GOOD.replace("    learningRate: 1e-5", "    extraArguments: {a: &x {v: 1}, b: *x}")
    (run,) = read(text, "f", ["spec.training.extraArguments.a.v=2"])
    assert run.spec.training.extra_arguments == {"a": {"v": 2}, "b": {"v": 1}}


def test_a_change_that_is_not_allowed_says_what_to_do():
    (old,), (new,) = read(GOOD, "f"), read(GOOD.replace("1e-5", "1e-4"), "f")
    assert [str(problem) for problem in change_problems(old, new)] == [
        "spec.training: cannot change once the run exists; make a new run with another name"
    ]


@given(st.text(max_size=200))
def test_no_text_is_too_strange(text: str):
    assert check(text, "f").faults


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
        max_leaves=8,
    ),
    st.sampled_from(["spec", "metadata", "spec.dataset", "spec.training", "spec.objective.regression.dimensions",
                     "spec.resources", "spec.topology.processesPerNode", "spec.podTemplate", "spec.tracking.trackers"]),
)  # fmt: skip
def test_no_value_brings_pydantics_words_to_the_user(value: object, path: str):
    assignment = (
        f"{path}={yaml.safe_dump(value, default_flow_style=True, width=10_000).removesuffix('...' + chr(10))}"
    )
    said = "\n".join(fault.message for fault in check(GOOD, "f", [assignment]).faults)
    assert not re.search(r"pydantic|Input should|validation error|ensure this value|Extra inputs", said)


def test_every_example_is_valid(repo: Path):
    found = [path for path in repo.glob("examples/**/*.yaml") if "trainjobs.dev/" in path.read_text()]
    assert found
    assert [fault for path in found for fault in check(path.read_text(), path.name).faults] == []


@pytest.mark.parametrize("name", ["准确度", "गहराई", "точность", "_é", "x" * 64])
def test_a_dimension_has_letters_of_any_language_and_its_figures_are_named_after_it(name: str):
    figures = f"{{keepBest: {{metric: eval_{name}_pearson, direction: Higher}}}}"
    (run,) = read(
        GOOD.replace("name: accuracy", f"name: {name}")
        .replace("train.jsonl\n", "train.jsonl\n    evalFraction: 0.1\n")
        .replace("  training:", f"  checkpoints: {figures}\n  training:")
        + f"  evaluation: {{thresholds: [{{metric: {name}.spearman, minimum: 0.5}}]}}\n"
        + f"status: {{metrics: {{latest: {{eval_{name}_spearman: 0.5}}}}}}\n",
        "rmrun.yaml",
    )
    assert isinstance(run, RewardModelRun)
    assert run.spec.objective.regression is not None
    assert run.spec.objective.regression.dimensions[0].name == name


@pytest.mark.parametrize("name", ["1a", "准 确", "a/b", "准,确", "x" * 65])
def test_a_dimensions_name_is_one_word(name: str):
    (words,) = _said(GOOD.replace("name: accuracy", f"name: '{name}'"))
    assert words.startswith("rmrun.yaml line 16: spec.objective.regression.dimensions[0].name: ")
