"""Rows to score, from a file or a stream: laid out as the training rows were, scores not needed."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from trainjobs.errors import InvalidData
from trainjobs.ml.data.columns import Columns, own_name, read_text
from trainjobs.ml.data.jsonl import Line, parse_row
from trainjobs.ml.data.text import ScoredText


@dataclass(frozen=True, slots=True)
class Row:
    """One row to score."""

    where: str
    """File and line."""
    raw: bytes
    """The line as it came, without its end; one object over several lines as one line."""
    text: ScoredText
    row: Mapping[str, object]
    """All that stands in it."""
    id: object
    """What it calls itself."""


def read_rows(lines: Iterable[tuple[str, bytes]], name: str, columns: Columns) -> Iterator[Row]:
    """Read rows as they are asked for.

    Args:
        lines: of a JSONL file, each with its place (`trainjobs.ml.data.files.lines`).
        name: of the file, for messages.
        columns: where the rows hold their texts, as the model was taught.

    Raises:
        InvalidData: a line is not a row with such a text, or there is no row at all; names it.
    """
    found = False
    for where, raw in lines:
        if not raw.strip():
            continue
        found = True
        line = Line(where, parse_row(raw, where))
        yield Row(where, raw.rstrip(b"\r\n"), read_text(line, columns), line.row, own_name(line))
    if not found:
        raise InvalidData(f"{name}: empty; give one JSON object a line")


def read_one(content: bytes, name: str, columns: Columns) -> Row:
    """Read a file that holds one row as one JSON object, over as many lines as it likes.

    Raises:
        InvalidData: it is not a JSON object with such a text.
    """
    line = Line(name, parse_row(content, name))
    one_line = json.dumps(line.row, ensure_ascii=False).encode()
    return Row(name, one_line, read_text(line, columns), line.row, own_name(line))
