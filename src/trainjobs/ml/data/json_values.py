"""JSON as rows hold it: nothing that is lost, changed or doubled by being read."""

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NoReturn

from trainjobs.errors import InvalidData

CONVERT: Final = "trainjobs data convert FILE --to ROWS.jsonl"
_AROUND: Final = 20
"""Characters before and after a fault that a message quotes."""
_DEPTH: Final = 100
"""Lists and objects inside one another; programs that read JSON give up at some hundreds."""
_SPACE: Final = re.compile(r"[ \t\n\r]*")
_NUMBER: Final = re.compile(r'"(?:[^"\\]|\\.)*"|(-?\d[\d.eE+-]*|-?Infinity|NaN)')


class _Unreadable(ValueError):
    """A part that is JSON to Python, but is not what the file says."""

    def __init__(self, words: str, literal: str = "") -> None:
        super().__init__(words)
        self.literal = literal


def parse_object(text: str, where: str) -> dict[str, object]:
    """Read one JSON object.

    Numbers that a float cannot hold and keys that stand twice are refused, for they would silently become
    something else.

    Args:
        text: the object, over one line or several.
        where: file and line, as messages begin; lines of `text` itself are counted where it has several.

    Raises:
        InvalidData: it is none; names line and column, and shows what stands there.
    """
    value, _ = _decode(text, where, 0)
    if isinstance(value, list):
        raise InvalidData(f"{where}: a list, not a JSON object; a row is one object on one line: {CONVERT}")
    if not isinstance(value, dict):
        raise InvalidData(f"{where}: {kind_of(value)}, not a JSON object")
    return value


def parse_objects(text: str, where: str) -> Iterator[dict[str, object]]:
    """Read JSON objects, one after the other or in a list.

    Raises:
        InvalidData: there is something else, or nothing; names its place.
    """
    position = count = 0
    while position < len(text.rstrip()):
        value, position = _decode(text, where, position, several=True)
        for one in value if isinstance(value, list) else [value]:
            count += 1
            if not isinstance(one, dict):
                raise InvalidData(f"{where} row {count}: {kind_of(one)}, not a JSON object")
            yield one
    if not count:
        raise InvalidData(f"{where} is empty: it needs JSON objects")


def kind_of(value: object) -> str:
    """Return how a message calls a JSON value's type."""
    match value:
        case None:
            return "null"
        case bool():
            return "a truth value"
        case str():
            return "a string"
        case int() | float():
            return "a number"
        case list():
            return "a list"
        case _:
            return "an object"


def fault_in(value: object, name: str, depth: int = 0) -> str | None:
    """Say what in a value cannot be written as text, beginning with its place; None where all can.

    Half a surrogate pair is JSON, but no text: tokenizers refuse it. A program's values may be no JSON.
    """
    match value:
        case str():
            return _half_character(value, name)
        case float() if not math.isfinite(value):
            return f"{name} is {value:g}, which is no number; leave it out or correct it"
        case None | bool() | int() | float():
            return None
        case _ if depth == _DEPTH:
            return f"{name} is nested more than {_DEPTH} deep; flatten it"
        case Mapping():
            parts = [(f"{name}.{key}", inner) for key, inner in value.items()]
            faults = (_half_character(str(key), f"a name in {name}") for key in value)
            if (found := next((fault for fault in faults if fault), None)) is not None:
                return found
        case list() | tuple():
            parts = [(f"{name}[{index}]", inner) for index, inner in enumerate(value)]
        case _:
            return (
                f"{name} is a {type(value).__name__}, which JSON does not have; give text, numbers and lists"
            )
    return next((fault for path, inner in parts if (fault := fault_in(inner, path, depth + 1))), None)


def _half_character(text: str, name: str) -> str | None:
    if text.isascii():
        return None
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        return f"{name} holds half a character at {error.start}; correct it"
    return None


def _decode(text: str, where: str, position: int, *, several: bool = False) -> tuple[object, int]:
    """Read the value that begins at a position, and where the next begins: refused unless `several`."""
    start = _after_space(text, position)
    try:
        value, end = _DECODER.raw_decode(text, start)
        end = _after_space(text, end)
        if end < len(text) and not several:
            raise json.JSONDecodeError("Extra data", text, end)
    except _Unreadable as error:
        found = (one.start(1) for one in _NUMBER.finditer(text, start) if one[1] == error.literal)
        place = next(found, None) if error.literal else None
        raise InvalidData(f"{where if place is None else _place(text, place, where)}: {error}") from None
    except json.JSONDecodeError as error:
        raise InvalidData(f"{_place(text, error.pos, where)}: {_cause(text, error)}") from error
    except RecursionError as error:
        raise InvalidData(f"{where}: not JSON (nested more than {_DEPTH} deep)") from error
    except ValueError as error:
        raise InvalidData(f"{where}: not JSON (a number of more than 4,300 digits)") from error
    return value, end


def _object(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for index, name in enumerate(names) if name in names[:index])
        raise _Unreadable(f"{twice!r:.60} stands twice in one object; remove one of the two")
    return found


def _number(literal: str) -> float:
    value = float(literal)
    lost = value == 0.0 and any(digit in "123456789" for digit in literal.lower().partition("e")[0])
    if math.isinf(value) or lost:
        size = "larger" if math.isinf(value) else "smaller"
        raise _Unreadable(
            f"{literal:.40} is {size} than a number can be; correct it, or write it as a text", literal
        )
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise _Unreadable(f"{name} is not JSON and no score; remove the row or correct it", name)


_DECODER: Final = json.JSONDecoder(
    parse_float=_number, parse_constant=_refuse_constant, object_pairs_hook=_object
)


def _after_space(text: str, position: int) -> int:
    space = _SPACE.match(text, position)
    return space.end() if space else position


def _place(text: str, position: int, where: str) -> str:
    """File, line and column of a character; columns count from 1."""
    before = text[: min(position, len(text.rstrip()))]
    line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
    several = "\n" in text.strip()
    return f"{where} line {line} column {column}" if several else f"{where} column {column}"


def _cause(text: str, error: json.JSONDecodeError) -> str:
    if error.pos >= len(text.rstrip()):
        return (
            f"not JSON (it ends in the middle): {_excerpt(text, error.pos)};"
            f" a row is one object on one line: {CONVERT}"
        )
    return f"not JSON ({error.msg}): {_excerpt(text, error.pos)}"


def _excerpt(text: str, position: int) -> str:
    """What stands around a fault, its beginning and end marked where there is more."""
    start, end = max(0, position - _AROUND), min(len(text.rstrip()), position + _AROUND)
    shown = repr(text[start:end])
    return f"{'…' if start else ''}{shown}{'…' if end < len(text.rstrip()) else ''}"
