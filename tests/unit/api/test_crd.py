"""The CRDs say what the models say, in the form that Kubernetes takes."""

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from trainjobs.api import crd
from trainjobs.api.reference import reference
from trainjobs.api.runs import KINDS, RewardModelRun, Run


def _nodes(node: dict[str, Any], path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    yield path, node
    for name, inner in node.get("properties", {}).items():
        yield from _nodes(inner, f"{path}.{name}")
    for word in ("items", "additionalProperties"):
        if word in node:
            yield from _nodes(node[word], f"{path}[]")


def _spec_and_status(kind: type[Run]) -> list[tuple[str, dict[str, Any]]]:
    properties = crd.schema(kind)["properties"]
    return [*_nodes(properties["spec"], "spec"), *_nodes(properties["status"], "status")]


@pytest.mark.parametrize("kind", KINDS)
def test_the_schema_is_structural(kind: type[Run]):
    for path, node in _spec_and_status(kind):
        assert not {"$ref", "$defs", "anyOf", "allOf", "oneOf", "title", "patternProperties"} & node.keys(), (
            path
        )
        assert "type" in node or node.get(crd.INT_OR_STRING) or node.get(crd.PRESERVE), path
        assert not {"properties", "additionalProperties"} <= node.keys(), path


@pytest.mark.parametrize("kind", KINDS)
def test_everything_is_bounded(kind: type[Run]):
    for path, node in _spec_and_status(kind):
        bounded = {
            "string": "maxLength" in node or "enum" in node or node.get("format") == "date-time",
            "array": "maxItems" in node,
            "object": "properties" in node or "maxProperties" in node,
        }
        assert bounded.get(node.get("type", ""), True), path
        if node.get(crd.INT_OR_STRING) and "pattern" in node:
            assert "maxLength" in node, path


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_is_described_in_one_line(kind: type[Run]):
    for path, node in _spec_and_status(kind):
        if not path.endswith("[]"):
            assert node["description"], path
            assert "\n" not in node["description"], path


@pytest.mark.parametrize("kind", KINDS)
def test_the_checked_in_definition_is_the_models_own(kind: type[Run], repo):
    written = (repo / "crds" / f"{kind.plural}.yaml").read_text()
    assert written == crd.text(kind)
    assert yaml.safe_load(written) == crd.definition(kind)
    assert "&id" not in written


def test_names_columns_and_subresource():
    spec = crd.definition(RewardModelRun)["spec"]
    (version,) = spec["versions"]
    assert spec["names"] | {"listKind": "", "singular": ""} == {
        "kind": "RewardModelRun", "listKind": "", "plural": "rewardmodelruns", "singular": "",
        "shortNames": ["rmrun"], "categories": ["trainruns"],
    }  # fmt: skip
    columns = [(one["name"].upper(), one["priority"]) for one in version["additionalPrinterColumns"]]
    assert [name for name, priority in columns if not priority] == [
        "PHASE", "PROGRESS", "STEP", "LOSS", "ETA", "RESTARTS", "AGE",
    ]  # fmt: skip
    assert [name for name, priority in columns if priority] == ["BEST", "CHECKPOINT", "ATTEMPT"]
    assert version["subresources"] == {"status": {}}


def test_the_operators_conditions_merge_by_type():
    conditions = crd.schema(RewardModelRun)["properties"]["status"]["properties"]["conditions"]
    assert (conditions["x-kubernetes-list-type"], conditions["x-kubernetes-list-map-keys"]) == (
        "map",
        ["type"],
    )


def test_columns_point_at_fields_that_exist():
    for kind in KINDS:
        fields = {path for path, _ in crd.walk(crd.schema(kind))}
        for column in crd.definition(kind)["spec"]["versions"][0]["additionalPrinterColumns"]:
            path = column["jsonPath"].removeprefix(".")
            assert path in fields or path == "metadata.creationTimestamp", path


def test_the_reference_names_every_field():
    text = reference()
    for kind in KINDS:
        for path, _ in crd.walk(crd.schema(kind)):
            if path.startswith(("spec.", "status.")):
                assert f"| `{path}` |" in text, path
