"""What no API server could decode of `spec.podTemplate`, by Kubernetes' types, before anything is sent."""

import json
import re
from collections.abc import Iterator
from typing import Final

from pydantic import JsonValue, ValidationError

from trainjobs.api.base import QUANTITY
from trainjobs.api.conditions import Reason
from trainjobs.api.metadata import Marks
from trainjobs.api.patterns import wrong_part
from trainjobs.api.problems import closest, dotted, problems, shown
from trainjobs.core.plan.objects import Object, child
from trainjobs.core.plan.pod_types import CLOSED, TYPES
from trainjobs.core.plan.policy.violation import TEMPLATE, Violation

_MARKS: Final = frozenset(Marks.model_fields)
_WHOLE: Final = "V1PodTemplateSpec"
_QUANTITY: Final = re.compile(QUANTITY)
_SCALARS: Final = {
    "str": (str, "text (in quotes where YAML would read a number or a yes)"),
    "int": (int, "a whole number"),
    "bool": (bool, "true or false"),
}


def undecodable(template: Object) -> tuple[Violation, ...]:
    """Return every field of a pod template that holds what its type cannot, or that no type has."""
    found = list(_judged(template, _WHOLE, TEMPLATE)) or _marks(child(template, "metadata"))
    return tuple(Violation(field, said, Reason.INVALID_SPEC) for field, said in found)


def _marks(metadata: Object) -> Iterator[tuple[str, str]]:
    """Judge labels and annotations, which pods are refused for, and nobody says it of the job."""
    given = {name: held for name, held in metadata.items() if name in _MARKS and held is not None}
    try:
        Marks.model_validate_json(json.dumps(given), strict=True, by_alias=True, by_name=False)
    except ValidationError as error:
        for problem in problems(error, Marks, given):
            yield f"{TEMPLATE}.metadata.{dotted(problem.path)}", problem.message


def _judged(value: JsonValue, type_: str, field: str) -> Iterator[tuple[str, str]]:
    outer, _, inner = type_.partition("[")
    if value is None:
        return
    if outer == "List":
        yield from _listed(value, inner.removesuffix("]"), field)
    elif outer == "Dict":
        yield from _mapped(value, inner.removesuffix("]").removeprefix("str, "), field)
    elif type_ == "Quantity":
        yield from _quantity(value, field)
    elif type_ in _SCALARS:
        kind, words = _SCALARS[type_]
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            yield field, f"{shown(value)} is not allowed; give {words}"
    elif isinstance(value, dict):
        yield from _object(value, type_, field)
    else:
        yield field, f"{shown(value)} is not allowed; give a mapping of fields"


def _object(value: Object, type_: str, field: str) -> Iterator[tuple[str, str]]:
    known = TYPES[type_]
    for name, held in value.items():
        if name in known:
            yield from _judged(held, known[name], f"{field}.{name}")
        elif type_ in CLOSED:
            guess = closest(name, known)
            advice = f"did you mean {guess}?" if guess else f"known here: {', '.join(known)}"
            yield f"{field}.{name}", f"there is no such field; {advice}"


def _listed(value: JsonValue, type_: str, field: str) -> Iterator[tuple[str, str]]:
    if not isinstance(value, list):
        yield field, f"{shown(value)} is not allowed; give a list"
        return
    for index, item in enumerate(value):
        yield from _judged(item, type_, f"{field}[{index}]")


def _mapped(value: JsonValue, type_: str, field: str) -> Iterator[tuple[str, str]]:
    if not isinstance(value, dict):
        yield field, f"{shown(value)} is not allowed; give a mapping"
        return
    for name, item in value.items():
        yield from _judged(item, type_, f"{field}[{name}]")


def _quantity(value: JsonValue, field: str) -> Iterator[tuple[str, str]]:
    number = isinstance(value, int | float) and not isinstance(value, bool) and value >= 0
    if number or (isinstance(value, str) and _QUANTITY.fullmatch(value)):
        return
    part = wrong_part(QUANTITY, value) if isinstance(value, str) else None
    why = f": {part}" if part else ""
    yield field, f"{shown(value)} is not allowed{why}; give a quantity such as 2, 500m or 16Gi"
