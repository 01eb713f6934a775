"""What nodes of a run printed, as it lies in storage, or in the run's folder on this machine."""

import gzip
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from trainjobs.api.conditions import ConditionType
from trainjobs.core.checkpoints.layout import LOGS, RESULT, log_key, parse_log_key
from trainjobs.core.decide.conditions import holds
from trainjobs.errors import TrainjobsError, UsageError
from trainjobs.local.folder import RunFolder
from trainjobs.storage.store import Store

LOOK_SECONDS: Final = 2.0
_OVERLAP: Final = 4096


@dataclass(frozen=True, slots=True, order=True)
class LogName:
    """One node of one attempt."""

    attempt: int
    node: int

    def __str__(self) -> str:
        return f"attempt {self.attempt} node {self.node}"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be shown of a run's logs."""

    attempt: int | None
    """None for the newest."""
    node: int
    follow: bool
    tail: int | None
    """So many of the last lines; None for all."""

    def of(self, names: Iterable[LogName]) -> LogName:
        """The log that is meant, among those that there are."""
        newest = max((one.attempt for one in names if one.node == self.node), default=1)
        return LogName(self.attempt or newest, self.node)

    def cut(self, text: str) -> str:
        """The part of a log that is shown."""
        if self.tail is None:
            return text
        return "".join(text.splitlines(keepends=True)[-self.tail :] if self.tail else [])


@dataclass(frozen=True, slots=True)
class StoredLogs:
    """The logs of one run, in storage and (None: not) in its folder on this machine."""

    store: Store | None
    folder: Path | None = None

    @property
    def place(self) -> str:
        """Where they lie."""
        return str(self.folder) if self.store is None else self.store.uri

    def names(self) -> dict[LogName, Path | None]:
        """Every log that there is, oldest first; with its file where that is on this machine."""
        stored = () if self.store is None else (parse_log_key(info.key) for info in self.store.list(LOGS))
        found: dict[LogName, Path | None] = {LogName(*one): None for one in stored if one is not None}
        return dict(sorted({**found, **_here(self.folder)}.items()))

    def text(self, wanted: Wanted) -> str:
        """What a node has printed: as its agent writes it on this machine, else as it was brought to storage.

        Raises:
            UsageError: there is no such log; names those that there are.
        """
        names = self.names()
        name = wanted.of(names)
        file = names.get(name)
        if file is not None:
            return file.read_text(encoding="utf-8", errors="replace")
        if self.store is not None and name in names:
            return gzip.decompress(self.store.get(log_key(name.attempt, name.node))).decode(errors="replace")
        if wanted.follow and not names:
            return ""
        there = ", ".join(map(str, names)) or "none"
        raise UsageError(f"{self.place}: has no log of {name}; it has {there}")

    def is_over(self) -> bool:
        """Whether nothing more will be printed, as far as can be known here."""
        if self.store is not None and self.store.head(RESULT) is not None:
            return True
        run = None if self.folder is None else RunFolder(self.folder).load()
        return run is not None and holds(run.status, ConditionType.FINISHED)

    def show(self, wanted: Wanted, write: Callable[[str], None]) -> None:
        """Show a log; where it is followed, to the end of the run."""
        shown: str | None = None
        while True:
            # Asked first: what is printed until then is in the log that is read next.
            over = not wanted.follow or self.is_over()
            text = self.text(wanted)
            write(wanted.cut(text) if shown is None else _after(shown, text))
            shown = text or shown
            if over:
                return
            time.sleep(LOOK_SECONDS)


def open_logs(target: str) -> StoredLogs:
    """Open the logs of a run by its folder, here or in storage.

    Raises:
        UsageError: no run is there.
        AccessDenied, StorageUnavailable: its storage cannot be read, and no agent has written here.
    """
    from trainjobs.cli.stored import open_run, path_of

    folder = path_of(target)
    try:
        return StoredLogs(open_run(target).store.store, folder)
    except TrainjobsError:
        # It has not come to storage yet, or that is away: what is here, is here.
        if not _here(folder):
            raise
        return StoredLogs(None, folder)


def _here(folder: Path | None) -> dict[LogName, Path]:
    """The logs of agents on this machine: those that work, and those of a run that has succeeded."""
    found: dict[LogName, Path] = {}
    if folder is None:
        return found
    for place in ("logs", "work"):
        for file in folder.glob(f"{place}/attempt-*/node-*/agent.log"):
            attempt, node = (part.rpartition("-")[2] for part in file.parts[-3:-1])
            if attempt.isdecimal() and node.isdecimal():
                found[LogName(int(attempt), int(node))] = file
    return found


def _after(shown: str, text: str) -> str:
    """What is new in a log whose beginning may have been cut off since it was shown."""
    if text.startswith(shown):
        return text[len(shown) :]
    last = shown[-_OVERLAP:]
    at = text.rfind(last) if last else -1
    return text if at < 0 else text[at + len(last) :]
