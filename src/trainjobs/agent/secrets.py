"""What nobody is to read in a log, a status or a record: variables and files that are secret by their names.

Files count as they are now and as they were: those of a Secret are replaced while a run lasts, and what is
said of a request may name the keys that it was made with.
"""

import json
import os
import re
import threading
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final
from urllib.parse import quote

# The identifier of a pair of keys travels openly with every request, and may be a word that stands anywhere.
_NAME: Final = re.compile(r"(SECRET|TOKEN|PASSWORD|PASSWD|API_?KEY|ACCESS_KEY|CREDENTIAL)(?!.*_ID$)", re.I)
# As AWS's file of credentials, and others like it, hold them.
_LINE: Final = re.compile(r"^\s*([\w.-]+)\s*[=:]\s*(\S+)\s*$", re.M)
_FOLDER: Final = "TRAINJOBS_STORAGE_KEYS"
# Shorter values are words that stand anywhere: hiding them hides the log.
_SHORTEST: Final = 8
_MOST_BYTES: Final = 64 * 1024
_HIDDEN: Final = "***"


class Secrets:
    """Hides them in texts; safe between threads."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        named = {name: value for name, value in environment.items() if _NAME.search(name)}
        # A variable may hold the place of a secret, and that place is none.
        self._files = {value for value in named.values() if value.startswith("/") and Path(value).is_file()}
        self._folder = Path(environment[_FOLDER]) if environment.get(_FOLDER) else None
        self._lock = threading.Lock()
        self._read: dict[Path, tuple[int, int]] = {}
        """Which state of a file was read: its inode, and when it was changed."""
        self._values: set[str] = set()
        self._written: tuple[str, ...] = ()
        self._take(value for value in named.values() if value not in self._files)

    def hide(self, text: str) -> str:
        """`text` without them."""
        for written in self.written():
            text = text.replace(written, _HIDDEN)
        return text

    def written(self) -> tuple[str, ...]:
        """How they may stand in a text, the longest first: as they are, in JSON and in a URL."""
        with self._lock:
            for path in self._there():
                self._look_at(path)
            return self._written

    def _there(self) -> Iterator[Path]:
        yield from map(Path, self._files)
        if self._folder is not None:
            try:
                yield from [path for path in self._folder.iterdir() if _NAME.search(path.name)]
            except OSError:
                return

    def _look_at(self, path: Path) -> None:
        try:
            state = path.stat()
            if self._read.get(path) == (state.st_ino, state.st_mtime_ns) or state.st_size > _MOST_BYTES:
                return
            text = path.read_text(encoding="utf-8").strip()
        except (OSError, ValueError):
            return
        self._read[path] = (state.st_ino, state.st_mtime_ns)
        lines = (match[2] for match in _LINE.finditer(text) if _NAME.search(match[1]))
        self._take([text] if len(text.split()) == 1 else lines)

    def _take(self, values: Iterable[str]) -> None:
        new = {value for value in values if len(value) >= _SHORTEST} - self._values
        if not new:
            return
        self._values |= new
        ways = (
            way for value in self._values for way in (value, json.dumps(value)[1:-1], quote(value, safe=""))
        )
        self._written = tuple(sorted(set(ways), key=lambda way: (-len(way), way)))


class Veil:
    """Hides them in what is printed bit by bit: what may be the beginning of one is held back."""

    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets
        self._held = b""

    def cover(self, chunk: bytes) -> bytes:
        """What of all that was printed until now can be shown, and was not shown yet."""
        written = [way.encode() for way in self._secrets.written()]
        text = self._held + chunk
        for way in written:
            text = text.replace(way, _HIDDEN.encode())
        held = max((_begun(text, way) for way in written), default=0)
        self._held = text[len(text) - held :]
        return text[: len(text) - held]

    def rest(self) -> bytes:
        """What was held back and nothing followed."""
        rest, self._held = self._held, b""
        return rest


def _begun(text: bytes, way: bytes) -> int:
    """How much of the end of a text is the beginning of a secret."""
    place = text.find(way[:1], max(0, len(text) - len(way) + 1))
    while place >= 0:
        if way.startswith(text[place:]):
            return len(text) - place
        place = text.find(way[:1], place + 1)
    return 0
