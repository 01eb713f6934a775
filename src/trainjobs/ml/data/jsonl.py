"""Reading JSONL files line by line, with every fault named by file and line."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from trainjobs.errors import InvalidData

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_SHOWN = 40
"""Characters of a faulty line that a message quotes."""


@dataclass(frozen=True, slots=True)
class Line:
    """One row of a file."""

    where: str
    """File and line, as messages name them."""
    row: dict[str, object]


@dataclass(slots=True)
class JsonLines:
    """The rows of a JSONL file, or of every `*.jsonl` file of a folder in the order of their names.

    Rows are read as they are asked for. When all have been read, `hashes` holds each file's
    SHA-256 by its path relative to what was given. InvalidData when something is not a row.
    """

    path: Path
    first: int | None = None
    """How many rows of each file are read, for a quick look; None reads all."""
    hashes: dict[str, str] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Line]:
        """Read from the start."""
        for file in self._files():
            yield from self._rows(file)

    def _files(self) -> list[Path]:
        if self.path.is_file():
            return [self.path]
        if not self.path.is_dir():
            raise InvalidData(f"{self.path} is not there: give a JSONL file, or a folder of them")
        files = sorted(file for file in self.path.rglob("*.jsonl") if file.is_file())
        if not files:
            raise InvalidData(f"{self.path} holds no file named *.jsonl")
        return files

    def _rows(self, file: Path) -> Iterator[Line]:
        name = file.name if file == self.path else str(file.relative_to(self.path))
        digest = hashlib.sha256()
        found = 0
        with file.open("rb") as stream:
            for number, raw in enumerate(stream, start=1):
                digest.update(raw)
                raw = raw.removeprefix(_BYTE_ORDER_MARK) if number == 1 else raw
                if raw.isspace():
                    continue
                if found == self.first:
                    return
                found += 1
                where = f"{name} line {number}"
                yield Line(where, parse_row(raw, where))
        if not found:
            raise InvalidData(f"{name} is empty: it needs one JSON object a line")
        self.hashes[name] = digest.hexdigest()


def parse_row(raw: bytes, where: str) -> dict[str, object]:
    """Read one line of a JSONL file. InvalidData begins with `where`."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidData(
            f"{where}: not UTF-8 (byte 0x{raw[error.start]:02x} in column {error.start + 1}); convert it"
        ) from error
    try:
        row = json.loads(text, parse_constant=_refuse_constant)
    except InvalidData as error:
        raise InvalidData(f"{where}: {error}") from error
    except (ValueError, RecursionError) as error:
        shown = text.strip()[:_SHOWN]
        raise InvalidData(f"{where}: not JSON ({_cause(error)}): {shown!r}") from error
    if not isinstance(row, dict):
        raise InvalidData(f"{where}: {kind_of(row)}, not a JSON object")
    return row


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


def _refuse_constant(name: str) -> NoReturn:
    raise InvalidData(f"{name} is not JSON and no score; remove the row or correct it")


def _cause(error: Exception) -> str:
    return error.msg if isinstance(error, json.JSONDecodeError) else "nested too deeply or a number too long"
