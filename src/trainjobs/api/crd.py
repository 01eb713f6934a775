"""CustomResourceDefinitions of the four kinds, generated from their models (`crds/`).

The schema is *structural*: no references, no unions but int-or-string, and it says the same as the
models: fields, defaults, bounds, rules. Two things it cannot say, and the operator judges instead: the
names of keys in maps, by the models, and the inside of `podTemplate`, which is kept as it came. CEL does not
see that either, so no rule guards changes of it: the next attempt takes them up, through the allowlist.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import yaml
from pydantic import BaseModel, TypeAdapter
from pydantic.fields import FieldInfo
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from trainjobs.api.base import Open, Section
from trainjobs.api.labels import CATEGORY, GROUP, VERSION
from trainjobs.api.runs import Run
from trainjobs.api.status import RunStatus

PRESERVE = "x-kubernetes-preserve-unknown-fields"
INT_OR_STRING = "x-kubernetes-int-or-string"
VALIDATIONS = "x-kubernetes-validations"

# Schema keywords that a structural schema has too, with the same meaning.
_SAME = (
    "type", "format", "enum", "pattern", "minimum", "maximum", "minLength", "maxLength", "minItems",
    "maxItems", "minProperties", "maxProperties", "default", "required", PRESERVE, INT_OR_STRING,
    "x-kubernetes-list-type", "x-kubernetes-list-map-keys", VALIDATIONS,
)  # fmt: skip

# Name, type, path, priority: those of priority 1 are shown by `kubectl get -o wide` only.
_COLUMNS = (
    ("Phase", "string", ".status.phase", 0, "One word for what the run is doing"),
    ("Progress", "string", ".status.display.progress", 0, "Part of the steps done"),
    ("Step", "string", ".status.display.step", 0, "Steps done of all"),
    ("Loss", "string", ".status.display.loss", 0, "Latest training loss"),
    ("ETA", "string", ".status.display.eta", 0, "Time left"),
    ("Restarts", "integer", ".status.restarts", 0, "Restarts after errors of the run"),
    ("Age", "date", ".metadata.creationTimestamp", 0, "Time since the run was made"),
    ("Best", "string", ".status.display.best", 1, "Best metric of validation"),
    ("Checkpoint", "string", ".status.display.checkpoint", 1, "Step of the latest checkpoint"),
    ("Attempt", "integer", ".status.attempt", 1, "Number of the current attempt"),
)


class _Plain(yaml.SafeDumper):
    """Writes what stands at two places twice, instead of an anchor and an alias."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002  # PyYAML asks for each object
        return True


def text(kind: type[Run]) -> str:
    """Return the definition of one kind as the YAML file that is checked in."""
    body = yaml.dump(definition(kind), Dumper=_Plain, sort_keys=False, allow_unicode=True, width=110)
    return f"# Generated from trainjobs.api.runs by `make generate`; do not edit.\n{body}"


def definition(kind: type[Run]) -> JsonSchemaValue:
    """Return the CustomResourceDefinition of one kind."""
    singular = kind.__name__.lower()
    version = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "additionalPrinterColumns": [
            {"name": name, "type": type_, "jsonPath": path, "priority": priority, "description": description}
            for name, type_, path, priority, description in _COLUMNS
        ],
        "schema": {"openAPIV3Schema": schema(kind)},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{kind.plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "names": {
                "kind": kind.__name__,
                "listKind": f"{kind.__name__}List",
                "plural": kind.plural,
                "singular": singular,
                "shortNames": [kind.short_name],
                "categories": [CATEGORY],
            },
            "scope": "Namespaced",
            "versions": [version],
        },
    }


def schema(kind: type[Run]) -> JsonSchemaValue:
    """Return the structural schema of one kind."""
    spec = kind.model_fields["spec"].annotation
    assert isinstance(spec, type)
    assert issubclass(spec, Section)
    return {
        "type": "object",
        "description": _prose(kind.__doc__),
        "required": ["metadata", "spec"],
        "properties": {
            "apiVersion": {
                "type": "string",
                "description": _prose(kind.model_fields["api_version"].description),
            },
            "kind": {"type": "string", "description": f"Always {kind.__name__}."},
            # Kubernetes' own: a schema may not say more of it; the rules below see its name.
            "metadata": {"type": "object"},
            "spec": _section(spec, defaults=True),
            # What the operator writes is written whole: no defaults.
            "status": _section(RunStatus, defaults=False),
        },
        VALIDATIONS: _validations(kind),
    }


def _section(model: type[Section], *, defaults: bool) -> JsonSchemaValue:
    raw = model.model_json_schema(by_alias=True, schema_generator=_Generator, mode="validation")
    definitions = raw.get("$defs", {})
    return _structural(raw, definitions, defaults=defaults)


class _Generator(GenerateJsonSchema):
    """pydantic's own generator, which in addition writes every section's rules and all defaults."""

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        """Return the schema of a model, as pydantic has it, and what only the class knows."""
        written = super().model_schema(schema)
        model = schema["cls"]
        assert issubclass(model, Section)
        for name, field in model.model_fields.items():
            within = written["properties"][field.alias or name]
            if any(isinstance(mark, Open) for mark in field.metadata):
                within[PRESERVE] = True
            within.pop("default", None)
            if (default := default_of(field)) is not None:
                within["default"] = default
        if model.rules:
            written[VALIDATIONS] = _validations(model)
        return written


def default_of(field: FieldInfo) -> object:
    """Return a field's default as it stands in a manifest; None where it has none."""
    if field.is_required():
        return None
    value = field.get_default(call_default_factory=True, validated_data={})
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", by_alias=True, exclude_none=True)
    return TypeAdapter[object](object).dump_python(value, mode="json")


def _validations(model: type[Section]) -> list[dict[str, str]]:
    return [{"rule": rule.expression, "message": rule.message} for rule in model.rules]


def _structural(raw: JsonSchemaValue, definitions: JsonSchemaValue, *, defaults: bool) -> JsonSchemaValue:
    """Turn pydantic's JSON schema into Kubernetes' structural one."""
    node = _joined(raw, definitions)
    result: JsonSchemaValue = {}
    if text := node.get("description"):
        result["description"] = _prose(text)
    result |= {key: node[key] for key in _SAME if key in node}
    if "const" in node:
        result["enum"] = [node["const"]]
    for bound, limit in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if bound in node:
            result |= {limit: node[bound], bound: True}
    if not defaults:
        result.pop("default", None)
    if properties := node.get("properties"):
        result["properties"] = {
            name: _structural(inner, definitions, defaults=defaults) for name, inner in properties.items()
        }
    if "items" in node:
        result["items"] = _structural(node["items"], definitions, defaults=defaults)
    if not result.get(PRESERVE) and (values := _values(node)) is not None:
        result["additionalProperties"] = _structural(values, definitions, defaults=defaults)
    if not {"type", INT_OR_STRING} & result.keys():
        result[PRESERVE] = True
    return result


def _joined(raw: JsonSchemaValue, definitions: JsonSchemaValue) -> JsonSchemaValue:
    """Replace a reference, or a union with null or of integer and string, by one node.

    What stands beside a reference (a field's own description and default) wins over what it refers to.
    """
    node = dict(raw)
    while True:
        if (reference := node.pop("$ref", None)) is not None:
            node = definitions[reference.removeprefix("#/$defs/")] | node
        elif (members := node.pop("anyOf", None)) is not None:
            given = [member for member in members if member.get("type") != "null"]
            node = (_either(given) if len(given) > 1 else given[0]) | node
        else:
            return node


def _either(members: list[JsonSchemaValue]) -> JsonSchemaValue:
    types = {member.get("type") for member in members}
    if types != {"integer", "string"}:
        raise ValueError(f"a structural schema has no union of {sorted(map(str, types))}")
    # A pattern judges strings only, and a bound numbers only, so each may stand beside the other.
    texts = [member for member in members if member["type"] == "string"]
    numbers = [member for member in members if member["type"] == "integer"]
    bounds = {key: texts[0][key] for key in ("pattern", "maxLength") if key in texts[0]}
    return (
        {INT_OR_STRING: True}
        | bounds
        | {key: numbers[0][key] for key in ("minimum", "maximum") if key in numbers[0]}
    )


def _values(node: JsonSchemaValue) -> JsonSchemaValue | None:
    """Return the schema of a map's values; None where the node is no map."""
    if node.get("type") != "object" or "properties" in node:
        return None
    if patterns := node.get("patternProperties"):
        (values,) = patterns.values()
        return dict(values)
    values = node.get("additionalProperties", {})
    return {} if values is True else dict(values)


def _prose(text: str | None) -> str:
    return " ".join((text or "").split())


def walk(node: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield every field of a structural schema with its path (`spec.dataset.train`), parents first."""
    for name, inner in node.get("properties", {}).items():
        below = f"{path}.{name}" if path else name
        yield below, inner
        yield from walk(inner, below)
        yield from walk(inner.get("items", {}), f"{below}[]")
