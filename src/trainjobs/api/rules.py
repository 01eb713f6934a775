"""The rules of a manifest, evaluated outside a cluster: the same CEL text that the CRDs carry."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.machinery import PathFinder
from importlib.util import find_spec, module_from_spec
from types import ModuleType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, Union, get_args, get_origin

from trainjobs.api.base import Section

if TYPE_CHECKING:
    from cel.cel import Program

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Violation:
    """A rule that does not hold, and where."""

    path: Path
    message: str


def violations(
    model: type[Section], value: Mapping[str, Any], old: Mapping[str, Any] | None = None, *, path: Path = ()
) -> Iterator[Violation]:
    """Yield every rule of `model`, and of the sections within, that `value` breaks.

    Args:
        model: the section's class.
        value: the section, defaults filled in, as `model_dump(mode="json", by_alias=True, exclude_none=True)`
            or an API server gives it.
        old: what it was before, where it is a change; without it rules of transition are left out.
        path: where the section stands.
    """
    for rule in model.rules:
        if rule.is_transition and old is None:
            continue
        if not _compiled(rule.expression).execute(
            {"self": value} | ({} if old is None else {"oldSelf": old})
        ):
            yield Violation(path, rule.message)
    for name, inner in sections(model).items():
        below, before = value.get(name), (old or {}).get(name)
        if isinstance(below, Mapping):
            yield from violations(inner, below, before, path=(*path, name))
        elif isinstance(below, Sequence) and not isinstance(below, str):
            # Items of a list cannot be told from one another: none has a former value.
            for index, item in enumerate(below):
                yield from violations(inner, item, path=(*path, name, index))


@cache
def sections(model: type[Section]) -> Mapping[str, type[Section]]:
    """Return the sections of a section, single or listed, by their names in a manifest."""
    found = {field.alias or name: _section(field.annotation) for name, field in model.model_fields.items()}
    return {name: section for name, section in found.items() if section is not None}


def _section(annotation: object) -> type[Section] | None:
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation
    if get_origin(annotation) in (Annotated, Union, UnionType, list):
        return next(filter(None, map(_section, get_args(annotation))), None)
    return None


@cache
def _compiled(expression: str) -> "Program":
    compiled: Program = _engine().compile(expression)
    return compiled


@cache
def _engine() -> ModuleType:
    """Load the extension of the package `cel` alone: the package also imports a command line (0.2 s)."""
    package = find_spec("cel")
    inner = package and PathFinder.find_spec("cel.cel", package.submodule_search_locations)
    if inner is None or inner.loader is None:
        raise ImportError("the extension of common-expression-language is missing; install trainjobs again")
    module = module_from_spec(inner)
    inner.loader.exec_module(module)
    return module
