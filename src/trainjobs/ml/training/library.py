"""What the training library declares of its arguments, and of the functions that these reach."""

import inspect
import types
import typing
from collections.abc import Callable, Iterator
from typing import Any, Final, Literal, Union

import transformers
from transformers import TrainingArguments

from trainjobs.core.recipe.extra_arguments import Kinds

LIBRARY: Final = f"transformers {transformers.__version__}"


def declared_arguments() -> dict[str, Kinds]:
    """Return the trainer's arguments and their types."""
    return {name: frozenset(_kinds(hint)) for name, hint in typing.get_type_hints(TrainingArguments).items()}


def declared_options(function: Callable[..., Any], *, given: set[str]) -> dict[str, Kinds]:
    """Return the named parameters of a function and their types, but for those that are `given` already."""
    hints = typing.get_type_hints(function)
    return {
        name: frozenset(_kinds(hints[name] if name in hints else _type_of(parameter.default)))
        for name, parameter in inspect.signature(function).parameters.items()
        if name not in given and parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
    }


def _type_of(default: object) -> Any:
    """Return the type of an undeclared parameter, as far as its default tells."""
    return Any if default is None or default is inspect.Parameter.empty else type(default)


def _kinds(hint: Any) -> Iterator[str]:
    origin = typing.get_origin(hint)
    if origin in (Union, types.UnionType):
        for one in typing.get_args(hint):
            yield from _kinds(one)
    elif hint is Any:
        yield "Any"
    elif origin is Literal:
        yield from (type(one).__name__ for one in typing.get_args(hint))
    elif hint is type(None):
        yield "None"
    else:
        yield getattr(origin or hint, "__name__", str(hint))
