"""What is wrong with a value of a manifest, in words that name it and say what would be right."""

import difflib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from pydantic import ValidationError
from pydantic.alias_generators import to_camel
from pydantic_core import ErrorDetails

from trainjobs.api.base import SHAPE, WRONG_PART, Section
from trainjobs.api.patterns import wrong_part
from trainjobs.api.rules import Path

_SHOWN: Final = 60
_IDENTIFIER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")

# Which part of pydantic's context says what would be right.
_BOUNDS: Final = {
    "greater_than_equal": ("ge", "give a number of at least {}"),
    "less_than_equal": ("le", "give a number of at most {}"),
    "greater_than": ("gt", "give a number above {}"),
    "less_than": ("lt", "give a number below {}"),
}
_SIZES: Final = {
    "string_too_long": "has {actual} characters; give at most {max_length}",
    "string_too_short": "is too short; give at least {min_length} characters",
    "too_long": "has more than {max_length} entries; give at most {max_length}",
    "too_short": "has {actual_length} entries; give at least {min_length}",
}
_TYPES: Final = {
    "integer": "a whole number",
    "number": "a number",
    "string": "text (in quotes where YAML would read a number or a yes)",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping of fields",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: where (`path`), and in words that do not name the place."""

    path: Path
    message: str

    def __str__(self) -> str:
        return f"{dotted(self.path)}: {self.message}" if self.path else self.message


def dotted(path: Path) -> str:
    """Return a path as people write it: `spec.objective.regression.dimensions[0].name`."""
    parts: list[str] = []
    for step in path:
        if isinstance(step, int):
            parts.append(f"[{step}]")
        elif _IDENTIFIER.fullmatch(step):
            parts.append(f".{step}" if parts else step)
        else:
            parts.append(f"[{json.dumps(step, ensure_ascii=False)}]")
    return "".join(parts)


def problems(error: ValidationError, model: type[Section], value: object) -> Iterator[Problem]:
    """Yield what pydantic found wrong with `value` as a `model`, in our words, each place once.

    A union's members each complain about the same place; it is named once, with what the union takes.
    """
    schema = _schema_of(model)
    seen: set[Path] = set()
    for detail in error.errors(include_url=False):
        path = _real_path(detail["loc"], value, detail["type"])
        if path not in seen:
            seen.add(path)
            yield Problem(path, _message(detail, path, schema, value))


def _real_path(loc: Sequence[str | int], value: object, error_type: str) -> Path:
    """Drop from pydantic's location what names no place in the document: members of unions, `[key]`."""
    path: list[str | int] = []
    here: Any = value
    for number, step in enumerate(loc):
        last = number == len(loc) - 1
        if _holds(here, step):
            here = here[step]
        elif not (last and error_type == "missing"):
            continue
        path.append(step)
    return tuple(path)


def _holds(value: object, step: str | int) -> bool:
    if isinstance(value, list):
        return isinstance(step, int) and step < len(value)
    return isinstance(value, Mapping) and step in value


def _message(detail: ErrorDetails, path: Path, schema: "_Schema", value: object) -> str:
    kind, context, given = detail["type"], detail.get("ctx", {}), _at(value, path)
    if kind == "extra_forbidden":
        return schema.unknown(path)
    if kind == "missing":
        return f"is missing; add it: {schema.expected(path)}"
    part = str(context["part"]) if kind == WRONG_PART else None
    if detail["loc"] and detail["loc"][-1] == "[key]":
        part = part or schema.wrong_part_of_key(path)
        return f"the key is not allowed{_because(part)}; give it as {schema.key(path)}"
    if kind in _BOUNDS and not schema.is_union(path):
        name, advice = _BOUNDS[kind]
        return f"{shown(given)} is not allowed; {advice.format(_plain(context[name]))}"
    if kind in _SIZES:
        return _SIZES[kind].format(actual=len(given) if isinstance(given, str) else 0, **context)
    part = part or schema.wrong_part(path, given)
    return f"{shown(given)} is not allowed{_because(part)}; give {schema.expected(path)}"


def _because(part: str | None) -> str:
    return f": {part}" if part else ""


def shown(value: object) -> str:
    """Return a value as YAML writes it, cut to what fits a line."""
    text = json.dumps(value, ensure_ascii=False)
    if isinstance(value, str):
        text = f"'{value}'" if value.isprintable() and "'" not in value else text
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def closest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that `name` was probably meant to be."""
    folded = {one.lower(): one for one in known}
    close = difflib.get_close_matches(name.lower(), folded, n=1, cutoff=0.7)
    return folded[close[0]] if close else None


def _plain(number: int | float) -> str:
    return f"{number:g}" if isinstance(number, float) else str(number)


def _at(value: object, path: Path) -> Any:  # noqa: ANN401  # whatever the document holds
    here: Any = value
    for step in path:
        if isinstance(here, Mapping):
            here = here.get(step)
        elif isinstance(here, list) and isinstance(step, int):
            here = here[step]
    return here


class _Schema:
    """Answers from a model's JSON schema what may stand at a path."""

    def __init__(self, root: Mapping[str, Any]) -> None:
        self._root = root

    def expected(self, path: Path) -> str:
        """Return what may stand at `path`, to follow "give"."""
        if SHAPE in (whole := self._node(path)):
            return str(whole[SHAPE])
        found = [self._one(node) for node in self._members(self._node(path))]
        return " or ".join(dict.fromkeys(filter(None, found))) or "what the reference names"

    def is_union(self, path: Path) -> bool:
        """Return whether values of several types may stand at `path`."""
        return len(list(self._members(self._node(path)))) > 1

    def key(self, path: Path) -> str:
        """Return what a key of the mapping that holds `path` may be."""
        names = self._node(path[:-1]).get("propertyNames", {})
        return str(names.get(SHAPE, "text"))

    def wrong_part(self, path: Path, given: object) -> str | None:
        """Return which part of the text at `path` is wrong, as far as a pattern tells."""
        whole = self._node(path)
        patterns = [node.get("pattern") for node in (whole, *self._members(whole))]
        return self._by_pattern(patterns, given)

    def wrong_part_of_key(self, path: Path) -> str | None:
        """The same of the key at the end of `path`."""
        node = self._node(path[:-1])
        return self._by_pattern(
            [node.get("propertyNames", {}).get("pattern"), *node.get("patternProperties", {})], path[-1]
        )

    def _by_pattern(self, patterns: Iterable[str | None], given: object) -> str | None:
        if not isinstance(given, str):
            return None
        said = (wrong_part(pattern, given) for pattern in patterns if pattern is not None)
        return next(filter(None, said), None)

    def unknown(self, path: Path) -> str:
        """Return that `path` names no field, and which one was meant."""
        name, parent = str(path[-1]), self._node(path[:-1])
        known = list(parent.get("properties", {}))
        if to_camel(name) in known:
            return f"there is no such field; write it in camelCase: {to_camel(name)}"
        if close := closest(name, known):
            return f"there is no such field; did you mean {close}?"
        if elsewhere := self._elsewhere(to_camel(name)):
            return f"there is no such field here; did you mean {elsewhere}?"
        return f"there is no such field; known here: {', '.join(known) or 'none'}"

    def _elsewhere(self, name: str) -> str | None:
        level = [("", self._root)]
        for _ in range(4):
            below = [
                (f"{path}.{field}".lstrip("."), self._resolved(inner))
                for path, node in level
                for field, inner in node.get("properties", {}).items()
            ]
            if found := [path for path, _ in below if path.startswith("spec.") and path.endswith(f".{name}")]:
                return found[0]
            level = below
        return None

    def _one(self, node: Mapping[str, Any]) -> str:
        if SHAPE in node:
            return str(node[SHAPE])
        choices = node.get("enum") or ([node["const"]] if "const" in node else [])
        if choices:
            return " or ".join(filter(None, (", ".join(map(str, choices[:-1])), str(choices[-1]))))
        low, high = node.get("minimum"), node.get("maximum")
        words = _TYPES.get(str(node.get("type")), "")
        return (
            f"{words} from {_plain(low)} to {_plain(high)}" if low is not None and high is not None else words
        )

    def _members(self, node: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        for member in node.get("anyOf", [node]):
            resolved = self._resolved(member)
            if resolved.get("type") != "null":
                yield resolved

    def _node(self, path: Path) -> Mapping[str, Any]:
        node = self._resolved(self._root)
        for step in path:
            inner = node.get("items") if isinstance(step, int) else node.get("properties", {}).get(step)
            node = self._resolved(inner or self._values(node))
        return node

    def _values(self, node: Mapping[str, Any]) -> Mapping[str, Any]:
        values = next(iter(node.get("patternProperties", {}).values()), node.get("additionalProperties"))
        return values if isinstance(values, Mapping) else {}

    def _resolved(self, node: Mapping[str, Any]) -> Mapping[str, Any]:
        """Follow references, and a union with null to its one other member."""
        while True:
            members = [member for member in node.get("anyOf", []) if member.get("type") != "null"]
            if "$ref" in node:
                node = self._root["$defs"][node["$ref"].removeprefix("#/$defs/")]
            elif len(members) == 1:
                node = members[0]
            else:
                return node


@cache
def _schema_of(model: type[Section]) -> _Schema:
    return _Schema(model.model_json_schema(by_alias=True))
