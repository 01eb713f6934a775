"""What is printed, in whatever encoding a terminal speaks, and whether or not anybody reads it.

A program that has done its work must not fail for a character that its terminal cannot show, or because the
reader of its output has left. Every program calls `survive` before it prints.
"""

import codecs
import io
import os
import select
import sys
import unicodedata
from typing import BinaryIO, Final, TextIO

from typing_extensions import Buffer

from trainjobs.errors import UsageError

READABLE: Final = "trainjobs.readable"
"""Name of the error handler that writes what an encoding lacks in other letters."""
ENCODING_OF_CHILDREN: Final = {"PYTHONIOENCODING": "utf-8:backslashreplace"}
"""Environment of programs whose output goes to files of ours."""
_OTHERWISE: Final = {
    "×": "x", "…": "...", "—": "-", "–": "-", "−": "-", "━": "-", "→": "->", "·": ".",
    "≥": ">=", "≤": "<=", "’": "'", "‘": "'", "“": '"', "”": '"', "√": "sqrt", "±": "+-",
}  # fmt: skip
_lost: dict[int, OSError] = {}


def survive() -> None:
    """From now on, printing to standard output and standard error raises nothing."""
    sys.stdout = _surviving(sys.stdout, 1)
    sys.stderr = _surviving(sys.stderr, 2)


def lost_output() -> OSError | None:
    """Why a part of standard output is lost; None where nothing is, or where nobody wanted it."""
    sys.stdout.flush()
    error = _lost.get(1)
    return None if isinstance(error, BrokenPipeError) else error


def shows(text: str) -> bool:
    """Whether standard output can hold a text as it is."""
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


def standard_output() -> BinaryIO:
    """Standard output for results in bytes; flush it at the end.

    Where the reader has left, the program ends without a word: there is nothing left to do. Where there is no
    room, it raises a UsageError.
    """
    sys.stdout.flush()
    if isinstance(sys.stdout, _Surviving):
        return io.BufferedWriter(_Descriptor(1, results=True))
    return sys.stdout.buffer


class _Descriptor(io.RawIOBase):
    """A file descriptor; once it cannot be written to, what follows goes nowhere."""

    def __init__(self, number: int, *, results: bool) -> None:
        self._number = number
        self._results = results

    def fileno(self) -> int:
        return self._number

    def isatty(self) -> bool:
        return os.isatty(self._number)

    def writable(self) -> bool:
        return True

    def write(self, data: Buffer) -> int:
        while True:
            try:
                return os.write(self._number, data)
            except BlockingIOError:
                select.select([], [self._number], [])
            except OSError as error:
                self._give_up(error)
                return memoryview(data).nbytes

    def _give_up(self, error: OSError) -> None:
        _lost[self._number] = error
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self._number)
        os.close(nowhere)
        if not self._results:
            return
        if isinstance(error, BrokenPipeError):
            raise SystemExit(0)
        raise UsageError(f"standard output: {error.strerror}; what was to be written there is incomplete")


class _Surviving(io.TextIOWrapper):
    """A text stream over a descriptor that may fail."""


def _surviving(stream: TextIO | None, number: int) -> io.TextIOWrapper:
    encoding = getattr(stream, "encoding", None) or "utf-8"
    if stream is not None:
        stream.flush()
    buffer = io.BufferedWriter(_Descriptor(number, results=False))
    return _Surviving(
        buffer, encoding=encoding, errors=READABLE, line_buffering=number == 2 or os.isatty(number)
    )


def _readable(error: UnicodeError) -> tuple[str, int]:
    """Write what an encoding lacks by plain letters where there are such, else as an escape."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(_plain, error.object[error.start : error.end])), error.end


def _plain(character: str) -> str:
    known = _OTHERWISE.get(character)
    if known is not None:
        return known
    letters = unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode()
    return letters or character.encode("ascii", "backslashreplace").decode()


codecs.register_error(READABLE, _readable)
