"""How an agent ended, and the final record that says so."""

import logging
import os
import threading
from dataclasses import dataclass
from pathlib import Path

from trainjobs.agent.secrets import Secrets
from trainjobs.core.failures import kind_of
from trainjobs.core.reports import FinalRecord, Outcome, Stage
from trainjobs.errors import BelowThreshold, Fenced, TrainjobsError

_log = logging.getLogger(__name__)
SUCCEEDED = "Succeeded"


@dataclass(frozen=True, slots=True)
class Ending:
    """How this agent's work ended: `error` is None where it succeeded."""

    error: TrainjobsError | None = None
    advice: str = ""
    last_lines: str = ""
    outcome: Outcome | None = None

    @property
    def exit_code(self) -> int:
        """What the program ends with."""
        return self.error.exit_code if self.error is not None else 0


def ended_with(outcome: Outcome | None) -> Ending:
    """The ending of a training that came to its end: a success, unless its model missed a threshold."""
    missed = outcome.missed if outcome is not None else ""
    return Ending(error=BelowThreshold(missed) if missed else None, outcome=outcome)


def final_record(
    ending: Ending,
    *,
    attempt: int,
    node_rank: int,
    stage: Stage | None,
    secrets: Secrets,
) -> FinalRecord:
    """Return the record of an ending, without secrets."""
    return FinalRecord(
        attempt=attempt,
        node_rank=node_rank,
        exit_code=ending.exit_code,
        reason=ending.error.reason if ending.error is not None else SUCCEEDED,
        message=secrets.hide(str(ending.error or "")),
        advice=secrets.hide(ending.advice) or _advice(ending.error),
        stage=stage,
        newest_attempt=ending.error.newest_attempt if isinstance(ending.error, Fenced) else 0,
        last_lines=secrets.hide(ending.last_lines),
        outcome=ending.outcome,
    )


def _advice(error: TrainjobsError | None) -> str:
    if error is None:
        return ""
    if isinstance(error, Fenced):
        return "Nothing to do: another attempt of this run is at work."
    return kind_of(error.reason).advice


class LastWord:
    """The final record: written as soon as anything can be said, and again when more is known.

    Whatever comes after it may block, or be killed.
    """

    def __init__(self, path: Path | None, secrets: Secrets, *, attempt: int, node_rank: int) -> None:
        self._path = path
        self._secrets = secrets
        self._attempt = attempt
        self._node_rank = node_rank
        self._lock = threading.Lock()
        self._ending: Ending | None = None

    @property
    def ending(self) -> Ending | None:
        """What was said last; None before the first word."""
        return self._ending

    def say(self, ending: Ending, stage: Stage | None) -> FinalRecord:
        """Write how it ends, as far as is known now."""
        with self._lock:
            return self._write(ending, stage)

    def say_first(self, ending: Ending, stage: Stage | None) -> None:
        """As `say`, unless something was said already."""
        with self._lock:
            if self._ending is None:
                self._write(ending, stage)

    def _write(self, ending: Ending, stage: Stage | None) -> FinalRecord:
        self._ending = ending
        record = final_record(
            ending, attempt=self._attempt, node_rank=self._node_rank, stage=stage, secrets=self._secrets
        )
        write_record(record, self._path)
        return record


def write_record(record: FinalRecord, path: Path | None) -> None:
    """Write the termination message; where it cannot be written, the exit code still tells the reason."""
    if path is None:
        return
    try:
        _overwrite(path, record.encode().encode())
    except OSError as error:
        _log.error("%s: %s while writing the final record", path, error.strerror)


def _overwrite(path: Path, data: bytes) -> None:
    """Replace what a file holds at one stroke: at every moment it holds the old word or the new one.

    In place: in a pod the file is a mount of its own. On a full disk the old word stays, or fits.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        # JSON ends where it ends: blanks hide what is left of a longer word until it is cut off.
        os.pwrite(descriptor, data.ljust(os.fstat(descriptor).st_size), 0)
        os.ftruncate(descriptor, len(data))
    finally:
        os.close(descriptor)
