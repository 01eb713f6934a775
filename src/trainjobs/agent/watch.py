"""Finds checkpoints in the output folder as soon as they are whole."""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError

from trainjobs.core.outputs import CHECKPOINT_PREFIX, SAVED_MARK, SavedMark

_STATE = "trainer_state.json"
_QUIET_SECONDS = 1.0

Fingerprint = tuple[tuple[str, int, int], ...]


@dataclass(frozen=True, slots=True)
class LocalCheckpoint:
    """A whole checkpoint on this machine's disk."""

    step: int
    path: Path
    metrics: dict[str, float] = field(default_factory=dict)
    blocked_seconds: float = 0.0

    @property
    def size(self) -> int:
        """Bytes on the disk."""
        return sum(size for _, size, _ in fingerprint(self.path))


def fingerprint(folder: Path) -> Fingerprint:
    """Return name, size and time of change of every file; a file that goes away meanwhile is left out."""
    return tuple(sorted(_files(folder)))


def _files(folder: Path) -> Iterator[tuple[str, int, int]]:
    for path in folder.rglob("*"):
        try:
            about = path.stat()
        except FileNotFoundError:
            continue
        if not path.is_dir():
            yield str(path.relative_to(folder)), about.st_size, about.st_mtime_ns


def checkpoint_folders(output: Path) -> Iterator[tuple[Path, int]]:
    """Yield the folders of checkpoints, whole or not, with their steps."""
    for path in output.glob(f"{CHECKPOINT_PREFIX}*"):
        number = path.name.removeprefix(CHECKPOINT_PREFIX)
        if number.isascii() and number.isdigit() and path.is_dir():
            yield path, int(number)


class CheckpointWatch:
    """Looks at an output folder again and again, and names each whole checkpoint once."""

    def __init__(self, output: Path) -> None:
        self._output = output
        self._known: set[Path] = set()
        self._changing: dict[Path, tuple[Fingerprint, float]] = {}

    def poll(self, at: float, *, writing: bool = True) -> tuple[LocalCheckpoint, ...]:
        """Return the checkpoints that became whole since the last look, oldest first.

        Args:
            at: seconds of any one clock.
            writing: False once training has ended: then nothing changes any more.
        """
        found = [
            checkpoint
            for path, step in checkpoint_folders(self._output)
            if path not in self._known and (checkpoint := self._whole(path, step, at, writing=writing))
        ]
        self._known.update(checkpoint.path for checkpoint in found)
        return tuple(sorted(found, key=lambda checkpoint: checkpoint.step))

    def _whole(self, path: Path, step: int, at: float, *, writing: bool) -> LocalCheckpoint | None:
        mark = _mark(path)
        if mark is not None:
            return LocalCheckpoint(step, path, mark.metrics, mark.blocked_seconds)
        # A user's own script leaves no mark: the Trainer writes its state last of rank 0's files, the
        # other ranks' random states may follow.
        state = _state(path)
        if state is None:
            return None
        now = fingerprint(path)
        before, since = self._changing.get(path, ((), at))
        if now != before:
            self._changing[path] = (now, at)
            since = at
        if writing and at - since < _QUIET_SECONDS:
            return None
        self._changing.pop(path, None)
        return LocalCheckpoint(step, path, _metrics_at(state, step))


def _mark(path: Path) -> SavedMark | None:
    try:
        return SavedMark.from_json((path / SAVED_MARK).read_bytes())
    except (OSError, ValidationError):
        return None


def _state(path: Path) -> dict[str, object] | None:
    try:
        state = json.loads((path / _STATE).read_bytes())
    except (OSError, ValueError):
        return None
    return state if isinstance(state, dict) else None


def _metrics_at(state: dict[str, object], step: int) -> dict[str, float]:
    """Return the validation figures that the Trainer logged at this very step."""
    history = state.get("log_history")
    found: dict[str, float] = {}
    for entry in history if isinstance(history, list) else ():
        if isinstance(entry, dict) and entry.get("step") == step:
            found |= {
                str(name): float(value)
                for name, value in entry.items()
                if str(name).startswith("eval_") and isinstance(value, (int, float)) and math.isfinite(value)
            }
    return found
