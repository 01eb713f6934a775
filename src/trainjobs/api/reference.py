"""The API reference in Markdown (`docs/reference/api.md`), generated from the models."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from trainjobs.api.crd import INT_OR_STRING, PRESERVE, schema
from trainjobs.api.labels import API_VERSION, CATEGORY
from trainjobs.api.runs import KINDS, RunSpec

_HEAD = f"""<!-- Generated from trainjobs.api by `make generate`; do not edit. -->

# API reference

`apiVersion: {API_VERSION}`. `kubectl explain rmrun.spec.checkpoints` shows the same texts, and
`kubectl get {CATEGORY}` lists runs of every kind. A field without a default may be left out, unless it is
*required*.
"""


def reference() -> str:
    """Return the whole reference: what all kinds share, then what is each kind's own."""
    schemas = {kind: schema(kind) for kind in KINDS}
    common = {field.alias or name for name, field in RunSpec.model_fields.items()}
    first = schemas[KINDS[0]]["properties"]
    parts = [_HEAD, "| kind | short name | what it does |", "|---|---|---|"]
    parts += [
        f"| `{kind.__name__}` | `{kind.short_name}` | {schemas[kind]['description']} |" for kind in KINDS
    ]
    shared = {name: node for name, node in first["spec"]["properties"].items() if name in common}
    parts += _section("Every kind: spec", {**first["spec"], "properties": shared}, "spec", with_rules=False)
    for kind, whole in schemas.items():
        spec = whole["properties"]["spec"]
        own = {name: node for name, node in spec["properties"].items() if name not in common}
        parts += _section(f"{kind.__name__}: spec", {**spec, "properties": own}, "spec", with_rules=True)
    parts += _section("Every kind: status", first["status"], "status", with_rules=False)
    return "\n".join(parts) + "\n"


def _section(title: str, node: Mapping[str, Any], path: str, *, with_rules: bool) -> Iterator[str]:
    if node["properties"]:
        yield from ("", f"## {title}", "", "| field | type | default | what |", "|---|---|---|---|")
        yield from _rows(node, path)
    rules = list(dict.fromkeys(_rules(node))) if with_rules else []
    if rules:
        yield from ("", f"Refused by rule, with these words ({title.partition(':')[0]}):", "")
        yield from (f"- {rule}" for rule in rules)


def _rows(node: Mapping[str, Any], path: str) -> Iterator[str]:
    required = node.get("required", ())
    for name, inner in node["properties"].items():
        below = f"{path}.{name}"
        given = "*required*" if name in required else _default(inner)
        yield f"| `{below}` | {_type(inner)} | {given} | {inner.get('description', '')} |".replace("\n", " ")
        item = inner.get("items", inner)
        if "properties" in item:
            yield from _rows(item, f"{below}[]" if item is not inner else below)


def _default(node: Mapping[str, Any]) -> str:
    if "default" not in node or "properties" in node:
        return ""
    return f"`{json.dumps(node['default'], ensure_ascii=False)}`"


def _type(node: Mapping[str, Any]) -> str:
    if "enum" in node:
        return " \\| ".join(f"`{choice}`" for choice in node["enum"])
    if node.get(INT_OR_STRING):
        return "integer or string"
    if node.get("type") == "array":
        return f"list of {_type(node['items'])}, at most {node['maxItems']}"
    if values := node.get("additionalProperties"):
        return (
            f"map to {_type(values)}, at most {node['maxProperties']}" if "maxProperties" in node else "map"
        )
    if node.get(PRESERVE):
        return "any"
    return " ".join(filter(None, (str(node["type"]), _range(node))))


def _range(node: Mapping[str, Any]) -> str:
    low = (
        "" if "minimum" not in node else f"{'>' if node.get('exclusiveMinimum') else '≥'} {node['minimum']:g}"
    )
    high = (
        "" if "maximum" not in node else f"{'<' if node.get('exclusiveMaximum') else '≤'} {node['maximum']:g}"
    )
    return ", ".join(filter(None, (low, high)))


def _rules(node: Mapping[str, Any]) -> Iterator[str]:
    for rule in node.get("x-kubernetes-validations", ()):
        yield rule["message"]
    for inner in node.get("properties", {}).values():
        yield from _rules(inner)
        yield from _rules(inner.get("items", {}))
