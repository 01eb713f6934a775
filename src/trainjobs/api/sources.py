"""What a manifest or a recipe names elsewhere, found by the types of its fields: nobody keeps a list."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import TypeVar, get_args

from trainjobs.api.base import Names, Section
from trainjobs.api.model_source import ModelSource

AnySection = TypeVar("AnySection", bound=Section)


@dataclass(frozen=True, slots=True)
class Source:
    """A URI, and the field that holds it."""

    field: str
    """`spec.dataset.train`, `spec.algorithm.rewards[0].model.uri`."""
    names: Names
    uri: str


def sources(section: Section, path: str) -> Iterator[Source]:
    """Yield every URI of a section and of the sections within, in the order of their fields.

    Args:
        section: what is searched.
        path: where it stands, as in `spec`.
    """
    for name, where, value in _fields(section, path):
        names = _marks(type(section)).get(name)
        if names is not None and isinstance(value, str):
            yield Source(where, names, value)
        elif isinstance(value, Section):
            yield from sources(value, where)


def models(section: Section, path: str) -> Iterator[tuple[str, ModelSource]]:
    """Yield every model that a section names, by URI or as the result of another run, each with its field."""
    for _, where, value in _fields(section, path):
        if isinstance(value, ModelSource):
            yield where, value
        elif isinstance(value, Section):
            yield from models(value, where)


def with_uris(section: AnySection, path: str, change: Callable[[Source], str]) -> AnySection:
    """Return the section with every URI in it replaced by what `change` makes of it."""

    def changed(name: str, where: str, value: object) -> object:
        names = _marks(type(section)).get(name)
        if names is not None and isinstance(value, str):
            return change(Source(where, names, value))
        return with_uris(value, where, change) if isinstance(value, Section) else value

    new: dict[str, object] = {}
    for name, where, value in _fields(section, path):
        made = changed(name, where, value)
        if where.endswith("]"):
            items = new.setdefault(name, [])
            assert isinstance(items, list)
            items.append(made)
        else:
            new[name] = made
    return section.model_copy(update=new)


def _fields(section: Section, path: str) -> Iterator[tuple[str, str, object]]:
    """Yield every field's name, place and value; of a list, every item."""
    for name, field in type(section).model_fields.items():
        value, where = getattr(section, name), f"{path}.{field.alias or name}"
        if isinstance(value, list):
            for index, item in enumerate(value):
                yield name, f"{where}[{index}]", item
        else:
            yield name, where, value


@cache
def _marks(model: type[Section]) -> dict[str, Names]:
    """Names of the fields that hold a URI, with what it names."""
    found = {}
    for name, field in model.model_fields.items():
        # Of `DataUri | None` the type keeps its marks, of a plain `DataUri` the field has them.
        marks = [
            *field.metadata,
            *(mark for member in get_args(field.annotation) for mark in _within(member)),
        ]
        for mark in marks:
            if isinstance(mark, Names):
                found[name] = mark
    return found


def _within(member: object) -> tuple[object, ...]:
    return tuple(getattr(member, "__metadata__", ()))
