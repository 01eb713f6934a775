"""Data files: which of a folder are read, and their lines, unpacked where they are packed."""

import gzip
import hashlib
import io
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final, NoReturn

from trainjobs.errors import InvalidData

LONGEST_LINE: Final = 64 * 2**20
"""Bytes of one line that are read; what is longer is no row."""
_SUFFIXES: Final = (".jsonl", ".jsonl.gz", ".jsonl.zst")
_GZIP: Final = b"\x1f\x8b"
_OTHERS: Final = {
    b"\x28\xb5\x2f\xfd": "packed with zstd, which is not unpacked here; run zstd -d first",
    b"BZh": "packed with bzip2, which is not unpacked here; run bunzip2 first",
    b"\xfd7zXZ": "packed with xz, which is not unpacked here; run unxz first",
    b"PK\x03\x04": "a ZIP archive or a spreadsheet; give rows as JSON, one object a line",
    b"PAR1": "a Parquet file; give rows as JSON, one object a line",
    b"ARROW1": "an Arrow file; give rows as JSON, one object a line",
    b"\xff\xfe": "text in UTF-16; convert it: iconv -f UTF-16 -t UTF-8",
    b"\xfe\xff": "text in UTF-16; convert it: iconv -f UTF-16 -t UTF-8",
}
"""What a file begins with, and what it then is."""


def is_rows(path: Path) -> bool:
    """Whether a file's name is that of rows, packed or not."""
    return path.name.lower().endswith(_SUFFIXES)


def data_files(path: Path) -> tuple[list[Path], list[str]]:
    """Return the files of a data set in the order of their names, and the names of those passed over.

    A file is taken as it is. Below a folder every `*.jsonl` and `*.jsonl.gz` is, but for what is hidden:
    names that begin with a dot are what editors, notebooks and file systems leave, and copies of ConfigMaps.

    Raises:
        InvalidData: there is nothing.
    """
    if path.is_file():
        return [path], []
    if not path.is_dir():
        raise InvalidData(f"{path} is not there: give a JSONL file, or a folder of them")
    files = sorted(_below(path))
    rows = [file for file in files if is_rows(file) and not is_hidden(file, path)]
    if not rows:
        raise InvalidData(f"{path} holds no file named *.jsonl")
    return rows, [str(file.relative_to(path)) for file in files if file not in set(rows)]


def _below(folder: Path) -> Iterator[Path]:
    """Every file below a folder; folders that links lead to are looked into once."""
    seen: set[str] = set()
    for place, folders, files in os.walk(folder, followlinks=True, onerror=_refuse):
        real = os.path.realpath(place)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        yield from (Path(place, name) for name in files)


def _refuse(error: OSError) -> NoReturn:
    """A folder that cannot be looked into is not an empty one."""
    raise error


def is_hidden(file: Path, folder: Path) -> bool:
    """Whether a file below a folder, or a folder between the two, has a name that begins with a dot."""
    return any(part.startswith(".") for part in file.relative_to(folder).parts)


class HashedFile(io.RawIOBase):
    """A file that is hashed as it is read; `sha256` is its own when all was."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb", buffering=0)
        self._digest = hashlib.sha256()

    @property
    def sha256(self) -> str:
        """Of what was read so far."""
        return self._digest.hexdigest()

    def readable(self) -> bool:
        """As every file that is read."""
        return True

    def readinto(self, buffer: "bytearray | memoryview") -> int:  # type: ignore[override]
        """Read the next bytes."""
        count = self._file.readinto(buffer) or 0
        self._digest.update(memoryview(buffer)[:count])
        return count

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        super().close()


def lines(stream: BinaryIO | HashedFile, name: str) -> Iterator[tuple[str, bytes]]:
    """Yield the lines of a file with their places (`rows.jsonl line 3`), unpacked if it is packed by gzip.

    A byte order mark is left out.

    Raises:
        InvalidData: it is no text, is damaged, or a line is longer than LONGEST_LINE.
    """
    source = _unpacked(io.BufferedReader(stream, 2**20), name)  # type: ignore[arg-type]
    number = 0
    try:
        while raw := source.readline(LONGEST_LINE + 1):
            number += 1
            where = f"{name} line {number}"
            if len(raw) > LONGEST_LINE:
                raise InvalidData(
                    f"{where}: longer than {LONGEST_LINE // 2**20} MiB; a row is one JSON object on one line"
                )
            raw = raw.removeprefix(b"\xef\xbb\xbf") if number == 1 else raw
            yield where, raw
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InvalidData(
            f"{name} line {number + 1}: gzip cannot go on ({error}); fetch or pack the file again"
        ) from error


def _unpacked(stream: io.BufferedReader, name: str) -> "io.BufferedReader | gzip.GzipFile":
    start = stream.peek(8)
    if start.startswith(_GZIP):
        return gzip.GzipFile(fileobj=stream)
    for magic, words in _OTHERS.items():
        if start.startswith(magic):
            raise InvalidData(f"{name}: {words}")
    return stream
