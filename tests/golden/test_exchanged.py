"""What a neighbouring version writes is understood: what the last one wrote, and what the next one will."""

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from tests.golden.exchange import FOLDER, claim, finding, manifest, models, resumption, turn, written
from tests.golden.filled import filled, grown
from tests.golden.generate import ROOT
from trainjobs.api.exchanged import Exchanged
from trainjobs.core.checkpoints.claim import Claim
from trainjobs.core.checkpoints.finding import Finding
from trainjobs.core.checkpoints.manifest import Manifest
from trainjobs.core.checkpoints.resumption import Resumption
from trainjobs.core.checkpoints.turn import Turn

MODELS = models()
VERSIONS = sorted(FOLDER.iterdir())


def test_what_this_version_writes_has_a_folder_of_its_own() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    generators = (ROOT / "hack" / "generators").read_text(encoding="utf-8")

    assert (FOLDER / version).is_dir(), "name the new folder in hack/generators, and keep the old one"
    assert f"\ntests/golden/exchanged/{version} " in generators
    assert {path.name for path in (FOLDER / version).iterdir()} == set(written())


@pytest.mark.parametrize("version", VERSIONS, ids=lambda path: path.name)
@pytest.mark.parametrize("name", MODELS)
def test_what_a_version_wrote_is_read_by_this_one(version: Path, name: str) -> None:
    text = (version / f"{name}.json").read_text(encoding="utf-8")

    read = MODELS[name].from_json(text)

    assert_holds(json.loads(read.model_dump_json(by_alias=True)), json.loads(text))


@pytest.mark.parametrize("version", VERSIONS, ids=lambda path: path.name)
def test_claims_and_manifests_of_a_version_are_read_by_this_one(version: Path) -> None:
    assert Claim.from_json((version / "claim.json").read_bytes(), "claim") == claim()
    assert Manifest.from_json((version / "manifest.json").read_bytes(), "manifest") == manifest()
    assert Resumption.from_json((version / "resumption.json").read_bytes(), "resumption") == resumption()
    assert Finding.from_json((version / "finding.json").read_bytes(), "finding") == finding()
    assert Turn.from_json((version / "turn.json").read_bytes(), "turn") == turn()


@pytest.mark.parametrize("name", MODELS)
def test_what_the_next_version_writes_is_read_by_this_one(name: str) -> None:
    model, document = MODELS[name], filled(MODELS[name])
    newer = grown(model, as_json(model, document))

    read = model.from_json(json.dumps(newer))

    assert as_values(read) == as_values(model.from_document(document))
    assert as_values(model.from_document(newer)) == as_values(read)


@pytest.mark.parametrize("name", MODELS)
def test_a_field_that_a_model_has_not_is_never_written(name: str) -> None:
    with pytest.raises(ValidationError, match="ofTheNextVersion"):
        MODELS[name](**{**filled(MODELS[name]), "ofTheNextVersion": 1})


def test_claims_and_manifests_of_the_next_version_are_read_by_this_one() -> None:
    newer = {**json.loads(claim().to_json()), "ofTheNextVersion": {"a": 1}}

    assert Claim.from_json(json.dumps(newer).encode(), "claim") == claim()
    newer = {**json.loads(resumption().to_json()), "ofTheNextVersion": {"a": 1}}
    assert Resumption.from_json(json.dumps(newer).encode(), "resumption") == resumption()
    newer = {**json.loads(finding().to_json()), "ofTheNextVersion": {"a": 1}}
    assert Finding.from_json(json.dumps(newer).encode(), "finding") == finding()
    newer = {**json.loads(turn().to_json()), "ofTheNextVersion": {"a": 1}}
    assert Turn.from_json(json.dumps(newer).encode(), "turn") == turn()


def as_json(model: type[Exchanged], document: dict[str, Any]) -> dict[str, Any]:
    """`document` as its writer writes it."""
    text: dict[str, Any] = json.loads(model.from_document(document).model_dump_json(by_alias=True))
    return text


def as_values(document: BaseModel) -> dict[str, Any]:
    """What this version knows of a document."""
    return document.model_dump()


def assert_holds(now: Any, before: Any) -> None:
    """Everything that stood in a document of an older version and still has a name is what it was."""
    if isinstance(before, dict) and isinstance(now, dict):
        for key in before.keys() & now.keys():
            assert_holds(now[key], before[key])
    elif isinstance(before, list) and isinstance(now, list):
        assert len(before) == len(now)
        for one, other in zip(now, before, strict=True):
            assert_holds(one, other)
    else:
        assert now == before
