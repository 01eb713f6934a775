"""The checked-in CRDs under the API server's own validation, and what it does with good manifests."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.crds.checker import CRDS, Case, Verdict, ask
from trainjobs.api import crd
from trainjobs.api.manifest import read
from trainjobs.api.runs import KINDS, RewardModelRun, Run

ROOT = CRDS.parent
MANIFESTS = sorted([*ROOT.glob("examples/**/*.yaml"), *ROOT.glob("tests/data/manifests/*.yaml")])


def _documents(path: Path) -> list[dict[str, Any]]:
    return [
        one
        for one in yaml.safe_load_all(path.read_text())
        if one and "trainjobs.dev" in one.get("apiVersion", "")
    ]


def _runs() -> dict[str, tuple[Run, dict[str, Any]]]:
    found = {}
    for path in MANIFESTS:
        if documents := _documents(path):
            for run, document in zip(read(path.read_text(), path.name), documents, strict=True):
                found[f"{path.name}:{run.metadata.name}"] = run, document
    return found


RUNS = _runs()


@pytest.fixture(scope="module")
def verdicts() -> dict[str, Verdict]:
    answer = ask([Case(_as_yaml_says(document)) for _, document in RUNS.values()])
    return dict(zip(RUNS, answer.verdicts, strict=True))


def _as_yaml_says(document: dict[str, Any]) -> dict[str, Any]:
    # PyYAML reads 1e-6 as text, kubectl as a number.
    rate = document["spec"].get("training", {}).get("learningRate")
    if isinstance(rate, str):
        document["spec"]["training"]["learningRate"] = float(rate)
    return document


def test_the_api_server_accepts_every_definition():
    answer = ask()
    assert answer.definitions == {f"{kind.plural}.trainjobs.dev": () for kind in KINDS}


def test_a_rule_that_does_not_compile_is_seen():
    definition = crd.definition(RewardModelRun)
    schema = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    schema["x-kubernetes-validations"].append({"rule": "self.spec.nothing > 1", "message": "m"})
    (errors,) = ask(definitions=[yaml.safe_dump(definition)]).definitions.values()
    assert any("undefined field 'nothing'" in error.message for error in errors)


def test_a_rule_over_something_unbounded_costs_too_much():
    definition = crd.definition(RewardModelRun)
    spec = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    del spec["properties"]["objective"]["properties"]["regression"]["properties"]["dimensions"]["maxItems"]
    (errors,) = ask(definitions=[yaml.dump(definition)]).definitions.values()
    assert any("estimated rule cost exceeds budget" in error.message for error in errors)


@pytest.mark.parametrize("name", RUNS)
def test_the_api_server_accepts_the_manifest(name: str, verdicts: dict[str, Verdict]):
    assert (verdicts[name].errors, verdicts[name].unknown) == ((), ())


@pytest.mark.parametrize("name", RUNS)
def test_defaults_of_the_api_server_are_those_of_the_models(name: str, verdicts: dict[str, Verdict]):
    run, _ = RUNS[name]
    assert (
        verdicts[name].object["spec"] == run.model_dump(mode="json", by_alias=True, exclude_none=True)["spec"]
    )


def test_every_kind_is_among_the_manifests():
    assert {run.kind for run, _ in RUNS.values()} == {kind.__name__ for kind in KINDS}
