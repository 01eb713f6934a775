"""Rows to score, from a file or a stream: laid out as the training rows were, scores not needed."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from trainjobs.api.dataset import Fields
from trainjobs.errors import InvalidData
from trainjobs.ml.data.jsonl import Line, parse_row
from trainjobs.ml.data.scored import Columns, find_columns, read_text
from trainjobs.ml.data.text import ScoredText


@dataclass(frozen=True, slots=True)
class Row:
    """One row to score."""

    where: str
    """File and line."""
    raw: bytes
    """The line as it came, without its end; one object over several lines as one line."""
    text: ScoredText


def read_rows(lines: Iterable[bytes], name: str, fields: Fields) -> Iterator[Row]:
    """Read rows as they are asked for; empty lines are passed over.

    Args:
        lines: of a JSONL file, opened as bytes.
        name: of the file, for messages.
        fields: where the rows hold their texts.

    Raises:
        InvalidData: a line is not a row with a text, or there is no row at all; names it.
    """
    columns: Columns | None = None
    for number, raw in enumerate(lines, 1):
        if not raw.strip():
            continue
        where = f"{name} line {number}"
        line = Line(where, parse_row(raw, where))
        columns = columns or find_columns(line, fields)
        yield Row(where, raw.rstrip(b"\r\n"), read_text(line, columns))
    if columns is None:
        raise InvalidData(f"{name}: empty; give one JSON object a line")


def read_one(content: bytes, name: str, fields: Fields) -> Row:
    """Read a file that holds one row as one JSON object, over as many lines as it likes.

    Raises:
        InvalidData: it is not a JSON object with a text.
    """
    line = Line(name, parse_row(content, name))
    one_line = json.dumps(line.row, ensure_ascii=False).encode()
    return Row(name, one_line, read_text(line, find_columns(line, fields)))
