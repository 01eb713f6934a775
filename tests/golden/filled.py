"""A document of any model with every field filled, and the same as a newer version would write it."""

import types
from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, JsonValue
from pydantic.fields import FieldInfo

from trainjobs.api import base

WHEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
NEW_FIELD = "ofTheNextVersion"
_BY_PATTERN = {
    base.NAME: "ratings",
    base.FIGURE: "eval_loss",
    base.IDENTIFIER: "adam_beta1",
    base.VARIABLE: "HF_ENDPOINT",
    base.ENDPOINT: "https://storage.example:9000",
    base.QUANTITY: "16Gi",
    base.DATA_URI: "s3://data/ratings.jsonl",
    base.MODEL_URI: "s3://models/base",
    base.STORAGE_URI: "s3://runs/storage",
}
_BY_TYPE: dict[Any, Any] = {
    str: "words", int: 2, float: 0.5, bool: True, object: "anything", datetime: WHEN, date: WHEN.date(),
}  # fmt: skip


def filled(model: type[BaseModel]) -> dict[str, Any]:
    """A document of the model with every field, as its writer names them."""
    return {
        (field.alias or name): _value(_annotation(field), model, name)
        for name, field in model.model_fields.items()
    }


def grown(model: type[BaseModel], document: dict[str, Any]) -> dict[str, Any]:
    """`document` as a newer version writes it: with a field more in every object."""
    by_key = {(field.alias or name): _annotation(field) for name, field in model.model_fields.items()}
    known = {key: _grown(by_key[key], value) if key in by_key else value for key, value in document.items()}
    return {**known, NEW_FIELD: {"a": [1]}}


def _annotation(field: FieldInfo) -> Any:
    return Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation


def _value(annotation: Any, model: type[BaseModel], name: str) -> Any:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _constrained(arguments[0], arguments[1:], model, name)
    if origin is Literal:
        return arguments[0]
    if origin in (Union, types.UnionType):
        return _value(next(one for one in arguments if one is not type(None)), model, name)
    if origin is list:
        return [_value(arguments[0], model, name)]
    if origin is dict:
        return {_value(arguments[0], model, name): _value(arguments[1], model, name)}
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return filled(annotation)
    if annotation is JsonValue:
        return "anything"
    return _BY_TYPE[annotation]


def _constrained(inner: Any, metadata: tuple[Any, ...], model: type[BaseModel], name: str) -> Any:
    metadata = tuple(
        inner for one in metadata for inner in (one.metadata if isinstance(one, FieldInfo) else [one])
    )
    patterns = (getattr(one, "pattern", None) for one in metadata)
    for pattern in filter(None, patterns):
        return _BY_PATTERN[pattern]
    least = max((one.ge for one in metadata if hasattr(one, "ge") and one.ge is not None), default=None)
    most = min((one.le for one in metadata if hasattr(one, "le") and one.le is not None), default=None)
    value = _value(inner, model, name)
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = value if least is None else max(value, least)
        value = value if most is None else min(value, most)
    return value


def _grown(annotation: Any, value: Any) -> Any:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _grown(arguments[0], value)
    if origin in (Union, types.UnionType):
        models = [one for one in arguments if isinstance(one, type) and issubclass(one, BaseModel)]
        others = [one for one in arguments if get_origin(one) in (list, dict)]
        fitting = models if isinstance(value, dict) and models else others
        return _grown(fitting[0], value) if fitting and isinstance(value, dict | list) else value
    if origin is list and isinstance(value, list):
        return [_grown(arguments[0], item) for item in value]
    if origin is dict and isinstance(value, dict):
        return {key: _grown(arguments[1], item) for key, item in value.items()}
    if isinstance(annotation, type) and issubclass(annotation, BaseModel) and isinstance(value, dict):
        return grown(annotation, value)
    return value
