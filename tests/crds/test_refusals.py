"""Bad manifests: what `trainjobs validate` refuses, an API server refuses, rules in the same words."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.crds.checker import CRDS, Case, Refusal, Verdict, ask
from trainjobs.api import crd
from trainjobs.api.manifest import change_problems, check, read
from trainjobs.api.overrides import override
from trainjobs.api.problems import dotted
from trainjobs.api.runs import KINDS
from trainjobs.api.yaml_documents import Document, documents

MINIMAL = CRDS.parent / "tests" / "data" / "manifests" / "minimal.yaml"
DOCUMENTS = {document.value["metadata"]["name"]: document for document in documents(MINIMAL.read_text())}
REGRESSION = "spec.objective.regression.dimensions"
BEST = "spec.checkpoints.keepBest"
HELD_OUT = "spec.dataset.evalFraction=0.1"


@dataclass(frozen=True)
class Bad:
    """A good manifest, what is changed in it, and the path at which it is refused."""

    base: str
    sets: tuple[str, ...]
    path: str

    def document(self) -> Document:
        document = DOCUMENTS[self.base]
        for assignment in self.sets:
            document = override(document, assignment)
        return document


# Refused by a rule.
BY_RULE = [
    Bad("scores", ("metadata.name=9lives",), "metadata.name"),
    Bad("scores", (f"metadata.name={'a' * 41}",), "metadata.name"),
    Bad("scores", ("spec.baseModel={}",), "spec.baseModel"),
    Bad("scores", ("spec.baseModel.fromRun={kind: SFTRun, name: tuned}",), "spec.baseModel"),
    Bad("scores", ("spec.baseModel.uri=s3://bucket/../other",), "spec.baseModel.uri"),
    Bad("scores", ("spec.baseModel.tokenizerUri=s3://bucket/../other",), "spec.baseModel.tokenizerUri"),
    Bad(
        "scores",
        ("spec.dataset.eval=s3://bucket/e", "spec.dataset.evalFraction=0.1"),
        "spec.dataset.evalFraction",
    ),
    Bad("scores", ("spec.dataset.eval=s3://bucket/train.jsonl",), "spec.dataset.eval"),
    Bad("scores", ("spec.dataset.test=s3://bucket/train.jsonl",), "spec.dataset.test"),
    Bad("scores", ("spec.dataset.train=s3://bucket/../x",), "spec.dataset.train"),
    Bad("scores", ("spec.dataset.eval=file:///a/../x",), "spec.dataset.eval"),
    Bad("scores", ("spec.dataset.test=pvc://claim/a/../b",), "spec.dataset.test"),
    Bad("scores", ("spec.dataset.template='only {input_data}'",), "spec.dataset.template"),
    Bad("scores", ("spec.objective.pairwise={}",), "spec.objective.pairwise"),
    Bad("scores", ("spec.objective.type=Pairwise",), "spec.objective.regression"),
    Bad("scores", ("spec.objective={type: Regression}",), "spec.objective.regression"),
    Bad("scores", (f"{REGRESSION}=[{{name: a}}, {{name: a}}]",), REGRESSION),
    Bad("scores", (f"{REGRESSION}=[{{name: overall}}]",), REGRESSION),
    Bad("scores", (f"{REGRESSION}=[{{name: a}}, {{name: b, minimum: 5, maximum: 5}}]",), f"{REGRESSION}[1]"),
    Bad("scores", ("spec.training.epochs=2", "spec.training.maxSteps=9"), "spec.training"),
    Bad("scores", ("spec.training={globalBatchSize: 8, gradientAccumulationSteps: 2}",), "spec.training"),
    Bad("scores", ("spec.training.packing=true",), "spec.training.packing"),
    Bad("scores", ("spec.adapter={type: None, lora: {}}",), "spec.adapter.lora"),
    Bad("scores", ("spec.topology.strategy={type: DDP, fsdp: {}}",), "spec.topology.strategy.fsdp"),
    Bad("scores", ("spec.checkpoints.storage.uri=file:///a/../b",), "spec.checkpoints.storage.uri"),
    Bad(
        "scores",
        ("spec.checkpoints.storage={uri: 'pvc://claim/x', endpoint: 'https://s3'}",),
        "spec.checkpoints.storage.endpoint",
    ),
    Bad("scores", ("spec.checkpoints.resume.type=From",), "spec.checkpoints.resume.uri"),
    Bad(
        "scores",
        ("spec.checkpoints.resume={type: From, uri: 'pvc://claim/../x'}",),
        "spec.checkpoints.resume.uri",
    ),
    Bad("scores", ("spec.tracking.trackers=[{type: WandB}, {type: WandB}]",), "spec.tracking.trackers"),
    Bad("scores", (HELD_OUT, "spec.evaluation.thresholds=[{metric: mse}]"), "spec.evaluation.thresholds[0]"),
    Bad("scores", (f"{BEST}={{metric: eval_pearson}}",), f"{BEST}.metric"),
    Bad("scores", (HELD_OUT, f"{BEST}={{metric: eval_pearson, direction: Lower}}"), f"{BEST}.direction"),
    Bad("scores", (HELD_OUT, f"{BEST}={{metric: eval_loss, direction: Higher}}"), f"{BEST}.direction"),
    Bad(
        "scores",
        (HELD_OUT, f"{BEST}={{metric: eval_accuracy_pearson, direction: Lower}}"),
        f"{BEST}.direction",
    ),
    Bad(
        "scores", (HELD_OUT, f"{BEST}={{metric: eval_accuracy_mse, direction: Higher}}"), f"{BEST}.direction"
    ),
    Bad("scores", ("spec.runtime.command=[x.py]", f"{BEST}={{metric: eval_f1}}"), f"{BEST}.direction"),
    Bad("tuned", (HELD_OUT, f"{BEST}={{metric: eval_f1}}"), f"{BEST}.direction"),
    Bad("scores", ("spec.training.earlyStopping={}",), "spec.training.earlyStopping"),
    Bad("scores", ("spec.training.evalEverySteps=5",), "spec.training.evalEverySteps"),
    Bad(
        "scores",
        ("spec.evaluation.thresholds=[{metric: overall.pearson, minimum: 0.5}]",),
        "spec.evaluation.thresholds",
    ),
    Bad(
        "scores",
        (HELD_OUT, "spec.evaluation.thresholds=[{metric: overall.mse, minimum: 0.5}]"),
        "spec.evaluation.thresholds[0]",
    ),
    Bad(
        "scores",
        (HELD_OUT, "spec.evaluation.thresholds=[{metric: accuracy.spearman, maximum: 0.5}]"),
        "spec.evaluation.thresholds[0]",
    ),
    Bad(
        "scores",
        ("spec.runPolicy.gangScheduling={scheduler: Coscheduling, queue: team}",),
        "spec.runPolicy.gangScheduling.queue",
    ),
    Bad("policy", ("spec.algorithm.rewards=[]",), "spec.algorithm.rewards"),
    Bad("policy", ("spec.algorithm.ppo={}",), "spec.algorithm.ppo"),
    Bad("policy", ("spec.algorithm.rewards=[{model: {}}]",), "spec.algorithm.rewards[0].model"),
    Bad("preferred", ("spec.algorithm.rollout={}",), "spec.algorithm"),
    Bad("preferred", ("spec.algorithm.dpo.labelSmoothing=0.5",), "spec.algorithm.dpo.labelSmoothing"),
]

# Refused by the schema: each side has its own words.
BY_SCHEMA = [
    Bad("scores", ("spec.topology.nodes=0",), "spec.topology.nodes"),
    Bad("scores", ("spec.topology.nodes=two",), "spec.topology.nodes"),
    Bad("scores", ("spec.topology.nodes='2'",), "spec.topology.nodes"),
    Bad("scores", ("spec.topology.nodes=1.5",), "spec.topology.nodes"),
    Bad("scores", ("spec.topology.nodes=true",), "spec.topology.nodes"),
    Bad("scores", ("spec.topology=[]",), "spec.topology"),
    Bad("scores", ("spec.training.learningRate=0",), "spec.training.learningRate"),
    Bad("scores", ("spec.training.learningRate='1e-5'",), "spec.training.learningRate"),
    Bad("scores", ("spec.training.precision=bf16",), "spec.training.precision"),
    Bad("scores", ("spec.training.seed=-1",), "spec.training.seed"),
    Bad("scores", ("spec.training.warmupRatio=1.5",), "spec.training.warmupRatio"),
    Bad("scores", ("spec.dataset.evalFraction=1",), "spec.dataset.evalFraction"),
    Bad("scores", ("spec.dataset.train=/data/train.jsonl",), "spec.dataset.train"),
    Bad("scores", ("spec.dataset.train=null",), "spec.dataset.train"),
    Bad("scores", ("spec.dataset=null",), "spec.dataset"),
    Bad("scores", ("spec.objective.regression.dimensions=[]",), REGRESSION),
    Bad("scores", ("spec.objective.regression.dimensions=[{}]",), f"{REGRESSION}[0].name"),
    Bad("scores", ("spec.objective.regression.dimensions=[{name: 'a b'}]",), f"{REGRESSION}[0].name"),
    Bad("scores", ("spec.objective=Regression",), "spec.objective"),
    Bad("scores", ("spec.resources.limits.memory=lots",), "spec.resources.limits.memory"),
    Bad("scores", ("spec.runtime.env=[{name: 1x, value: z}]",), "spec.runtime.env[0].name"),
    Bad("scores", ("spec.runPolicy.suspend=1",), "spec.runPolicy.suspend"),
    Bad("scores", ("spec.runPolicy.gangScheduling={}",), "spec.runPolicy.gangScheduling.scheduler"),
    Bad(
        "scores",
        ("spec.runPolicy.gangScheduling={scheduler: Slurm}",),
        "spec.runPolicy.gangScheduling.scheduler",
    ),
    Bad("scores", (f"spec.dataset.template='{'x' * 16385}'",), "spec.dataset.template"),
    Bad(
        "scores", (f"spec.tracking.trackers=[{', '.join(['{type: WandB}'] * 5)}]",), "spec.tracking.trackers"
    ),
    Bad("scores", ("spec.training.learning_rate=1",), "spec.training.learning_rate"),
    Bad("scores", ("spec.epochs=1",), "spec.epochs"),
    Bad("more-text", ("spec.objective=Both",), "spec.objective"),
    Bad("more-text", ("spec.algorithm={type: DPO}",), "spec.algorithm"),
    Bad("preferred", ("spec.algorithm.type=PPOO",), "spec.algorithm.type"),
]


def _ids(cases: list[Bad]) -> list[str]:
    return [" ".join((case.base, *(one[:60] for one in case.sets))) for case in cases]


@pytest.fixture(scope="module")
def verdicts() -> dict[Bad, Verdict]:
    table = [*BY_RULE, *BY_SCHEMA]
    return dict(zip(table, ask([Case(bad.document().value) for bad in table]).verdicts, strict=True))


def _faults(document: Document) -> list[tuple[str, str]]:
    faults = check(json.dumps(document.value), "m.yaml").faults
    return [(fault.path, fault.message.removeprefix(f"{fault.path}: ")) for fault in faults]


def _words(refusal: Refusal) -> str:
    """Take the place off a rule's message: it stands in the path already."""
    return re.sub(r"^[A-Za-z.]+: ", "", refusal.message)


@pytest.mark.parametrize("bad", BY_RULE, ids=_ids(BY_RULE))
def test_a_rule_says_the_same_in_both(bad: Bad, verdicts: dict[Bad, Verdict]):
    ours = _faults(bad.document())
    theirs = verdicts[bad]
    assert [path for path, _ in ours] == [bad.path]
    assert (theirs.unknown, {_words(error) for error in theirs.errors}) == ((), {words for _, words in ours})
    # A rule stands at its section; its message may name a field within.
    assert all(error.field in ("", "<nil>") or bad.path.startswith(error.field) for error in theirs.errors)


@pytest.mark.parametrize("bad", BY_SCHEMA, ids=_ids(BY_SCHEMA))
def test_what_the_schema_refuses_both_refuse_at_the_same_field(bad: Bad, verdicts: dict[Bad, Verdict]):
    ours = {path for path, _ in _faults(bad.document())}
    theirs = verdicts[bad]
    assert ours == {bad.path}
    assert bad.path in {*theirs.unknown, *(error.field for error in theirs.errors)}


@pytest.mark.parametrize("count", ["0", "65", "many"])
def test_processes_per_node_are_bounded_by_both(count: str):
    document = Bad("scores", (f"spec.topology.processesPerNode={count}",), "").document()
    (theirs,) = ask([Case(document.value)]).verdicts
    assert _faults(document) == [
        (
            "spec.topology.processesPerNode",
            f"{_shown(count)} is not allowed; give a whole number from 1 to 64 or Auto",
        )
    ]
    # The bounds are the schema's, the word is a rule's.
    said = [error.field for error in theirs.errors if count != "many"] + [
        _words(one) for one in theirs.errors
    ]
    assert {"spec.topology.processesPerNode", "give a number from 1 to 64, or Auto"} & set(said)


def _shown(text: str) -> str:
    return text if text.isdigit() else f"'{text}'"


def test_every_rule_is_broken_by_some_case(verdicts: dict[Bad, Verdict]):
    said = {error.message for verdict in verdicts.values() for error in verdict.errors}
    rules = {rule["message"]: rule["rule"] for kind in KINDS for rule in _rules(crd.schema(kind))}
    # Rules of a change are below, the one on processes above; members of unions are all made by one function.
    unbroken = {
        message
        for message, rule in rules.items()
        if message not in said
        and "oldSelf" not in rule
        and ": only allowed with" not in message
        and "processesPerNode" not in message
    }
    assert unbroken == set()


def _rules(node: Any) -> list[dict[str, str]]:
    if isinstance(node, list):
        return [rule for item in node for rule in _rules(item)]
    if not isinstance(node, dict):
        return []
    within = [rule for name, item in node.items() if name != crd.VALIDATIONS for rule in _rules(item)]
    return [*node.get(crd.VALIDATIONS, []), *within]


# What is changed after the run exists, and the field named where that is refused.
CHANGES = [
    ("scores", (), ("spec.runPolicy.suspend=true",), None),
    ("scores", (), ("spec.runPolicy.maxRestarts=9", "spec.runPolicy.activeDeadlineSeconds=60"), None),
    ("scores", (), ("spec.checkpoints.keepLatest=5", "spec.checkpoints.saveEverySteps=7"), None),
    ("scores", (), ("metadata.labels={a: b}",), None),
    ("scores", (), ("spec.baseModel.uri=hf://org/other",), "spec.baseModel"),
    ("scores", (), ("spec.dataset.maxLength=128",), "spec.dataset"),
    ("scores", (), ("spec.adapter.type=LoRA",), "spec.adapter"),
    ("scores", (), ("spec.training.learningRate=1e-3",), "spec.training"),
    ("scores", (), ("spec.training.maxSteps=3",), "spec.training"),
    (
        "scores",
        ("spec.training.extraArguments={a: 1}",),
        ("spec.training.extraArguments={a: 2}",),
        "spec.training",
    ),
    ("scores", (), (f"{REGRESSION}=[{{name: b}}]",), "spec.objective"),
    ("scores", (), ("spec.evaluation.confidence=0.9",), "spec.evaluation"),
    ("scores", (), ("spec.topology.nodes=2",), "spec.topology"),
    (
        "scores",
        ("spec.runPolicy.suspend=true",),
        ("spec.topology.nodes=2", "spec.runPolicy.suspend=false"),
        None,
    ),
    ("scores", (), ("spec.resources.limits.cpu=2",), "spec.resources"),
    ("scores", (), ("spec.runtime.image=other",), "spec.runtime"),
    ("scores", (), ("spec.workspace.size=1Gi",), "spec.workspace"),
    ("scores", (), ("spec.checkpoints.storage.uri=s3://bucket/x",), "spec.checkpoints"),
    ("scores", (), ("spec.checkpoints.resume.type=Never",), "spec.checkpoints"),
    ("scores", (), ("spec.runPolicy.queueName=a",), "spec.runPolicy.queueName"),
    ("preferred", (), ("spec.runPolicy.queueName=null",), "spec.runPolicy.queueName"),
    ("preferred", (), ("spec.runPolicy.queueName=b",), "spec.runPolicy.queueName"),
    ("scores", (), ("spec.runPolicy.priorityClassName=high",), "spec.runPolicy.priorityClassName"),
    ("scores", (), ("spec.runPolicy.schedulerName=other",), "spec.runPolicy.schedulerName"),
    (
        "scores",
        ("spec.runPolicy.gangScheduling={scheduler: Volcano}",),
        ("spec.runPolicy.gangScheduling.queue=other",),
        "spec.runPolicy.gangScheduling",
    ),
    (
        "scores",
        ("spec.runPolicy.suspend=true",),
        ("spec.runPolicy.gangScheduling={scheduler: Coscheduling}",),
        None,
    ),
    ("preferred", (), ("spec.tracking.trackers=[]",), None),
    ("preferred", (), ("spec.tracking.trackers=[{type: MLflow}]",), "spec.tracking"),
    ("preferred", (), ("spec.algorithm.dpo.beta=0.2",), "spec.algorithm"),
    ("more-text", (), ("spec.objective=Masked",), "spec.objective"),
]


def _changed(base: str, sets: tuple[str, ...]) -> dict[str, Any]:
    return Bad(base, sets, "").document().value


@pytest.fixture(scope="module")
def transitions() -> list[Verdict]:
    cases = [
        Case(_changed(base, (*before, *after)), old=_changed(base, before))
        for base, before, after, _ in CHANGES
    ]
    return list(ask(cases).verdicts)


@pytest.mark.parametrize(
    "number", range(len(CHANGES)), ids=[f"{one[0]} {' '.join(one[2])[:60]}" for one in CHANGES]
)
def test_a_change_is_judged_alike(number: int, transitions: list[Verdict]):
    base, before, after, field = CHANGES[number]
    old, new = (read(json.dumps(_changed(base, sets)), "m.yaml")[0] for sets in (before, (*before, *after)))
    ours = change_problems(old, new)
    theirs = transitions[number]
    assert [dotted(problem.path) for problem in ours] == ([] if field is None else [field])
    assert {_words(error) for error in theirs.errors} == {problem.message for problem in ours}


def test_a_bad_manifest_on_disk_is_refused_with_its_file_and_line(tmp_path: Path):
    reading = check(MINIMAL.read_text().replace("name: accuracy", "nme: accuracy"), "rmrun.yaml")
    assert [str(fault) for fault in reading.faults] == [
        "rmrun.yaml line 15: spec.objective.regression.dimensions[0].name: is missing; add it: "
        "letters of any language, digits, '_', '.' and '-', beginning with a letter or '_', without spaces",
        "rmrun.yaml line 15: spec.objective.regression.dimensions[0].nme: "
        "there is no such field; did you mean name?",
    ]
