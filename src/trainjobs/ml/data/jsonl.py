"""Reading JSONL files line by line, with every fault named by file and line."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from trainjobs.errors import InvalidData
from trainjobs.ml.data.files import HashedFile, data_files, lines
from trainjobs.ml.data.json_values import parse_object


@dataclass(frozen=True, slots=True)
class Line:
    """One row of a file."""

    where: str
    """File and line, as messages name them."""
    row: dict[str, object]


@dataclass(slots=True)
class JsonLines:
    """The rows of a JSONL file, or of those of a folder in the order of their names.

    Rows are read as they are asked for. When all have been read, `hashes` holds each file's
    SHA-256 by its path relative to what was given. InvalidData when something is not a row.
    """

    path: Path
    hashes: dict[str, str] = field(default_factory=dict)
    passed_over: list[str] = field(default_factory=list)
    """Files of the folder that are hidden, or no rows by their name."""

    def __iter__(self) -> Iterator[Line]:
        """Read from the start."""
        files, self.passed_over = data_files(self.path)
        for file in files:
            yield from self._rows(file)

    def _rows(self, file: Path) -> Iterator[Line]:
        name = file.name if file == self.path else str(file.relative_to(self.path))
        found = False
        with HashedFile(file) as stream:
            for where, raw in lines(stream, name):
                if not raw.strip():
                    continue
                found = True
                yield Line(where, parse_row(raw, where))
            if not found:
                raise InvalidData(f"{name} is empty: it needs one JSON object a line")
            self.hashes[name] = stream.sha256


def parse_row(raw: bytes, where: str) -> dict[str, object]:
    """Read one line of a JSONL file, or one object over several lines. InvalidData begins with `where`."""
    return parse_object(text_of(raw, where), where)


def text_of(raw: bytes, where: str) -> str:
    """Decode UTF-8. InvalidData names the first byte that is none."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        before = raw[: error.start]
        line, column = before.count(b"\n") + 1, len(before) - before.rfind(b"\n")
        place = where if line == 1 else f"{where} line {line}"
        raise InvalidData(
            f"{place}: not UTF-8 (byte 0x{raw[error.start]:02x} in column {column}); convert it"
        ) from error
