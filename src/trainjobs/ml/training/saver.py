"""Saving checkpoints beside training: a copy in memory now, files by a thread, one checkpoint at a time.

A folder gets its name `checkpoint-<step>` by a rename when everything is in it, its mark included.
"""

import logging
import shutil
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from trainjobs.core.outputs import CHECKPOINT_PREFIX, SAVED_MARK, SavedMark
from trainjobs.ml.training.files import write_record

_log = logging.getLogger(__name__)
_STORAGE_ERRORS = (OSError, SafetensorError, RuntimeError)
"""What writing to a full or broken disk raises: torch.save and safetensors have errors of their own."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A training's state after one step, all of it in host memory."""

    step: int
    weights: Mapping[str, Tensor]
    weights_file: str
    """`model.safetensors`, or an adapter's file."""
    pickles: Mapping[str, object]
    """File name → what `torch.save` writes and `torch.load(weights_only=True)` reads."""
    texts: Mapping[str, str]
    """File name → content."""
    mark: SavedMark


@dataclass(slots=True)
class SaveFigures:
    """What saving has cost and yielded so far."""

    saved: list[int] = field(default_factory=list)
    """Steps whose checkpoints are whole."""
    failed: dict[int, str] = field(default_factory=dict)
    """Step → why there is no checkpoint."""
    blocked_seconds: float = 0.0
    """How long training stood still, staging included."""
    writing_seconds: float = 0.0
    """How long the thread wrote while training went on."""


class Saver:
    """Writes snapshots below `output`, one at a time, in a thread of its own."""

    def __init__(self, output: Path, constants: Path) -> None:
        """`constants`: a folder whose files every checkpoint carries (tokenizer, configuration)."""
        self._output = output
        self._constants = constants
        self._thread: threading.Thread | None = None
        self._unexpected: BaseException | None = None
        self.figures = SaveFigures()

    def wait(self) -> None:
        """Wait until the checkpoint being written is on disk, or given up."""
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        if self._unexpected is not None:
            raise self._unexpected

    def write(self, snapshot: Snapshot) -> None:
        """Start writing; the one before must be done (`wait`)."""
        assert self._thread is None
        self._thread = threading.Thread(
            target=self._run, args=(snapshot,), name=f"save-{snapshot.step}", daemon=False
        )
        self._thread.start()

    def _run(self, snapshot: Snapshot) -> None:
        started = time.monotonic()
        partial = self._output / f".{CHECKPOINT_PREFIX}{snapshot.step}.partial"
        try:
            self._write_folder(partial, snapshot)
        except _STORAGE_ERRORS as error:
            why = str(error).strip().split("\n", 1)[0]
            self.figures.failed[snapshot.step] = why
            _log.warning("checkpoint at step %d could not be saved, training goes on: %s", snapshot.step, why)
        except BaseException as error:  # noqa: BLE001
            self._unexpected = error
        else:
            self.figures.saved.append(snapshot.step)
            self.figures.failed.pop(snapshot.step, None)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
            self.figures.writing_seconds += time.monotonic() - started

    def _write_folder(self, partial: Path, snapshot: Snapshot) -> None:
        shutil.rmtree(partial, ignore_errors=True)
        shutil.copytree(self._constants, partial)
        save_file(dict(snapshot.weights), partial / snapshot.weights_file, metadata={"format": "pt"})
        for name, value in snapshot.pickles.items():
            torch.save(value, partial / name)
        for name, text in snapshot.texts.items():
            (partial / name).write_text(text, encoding="utf-8")
        write_record(partial / SAVED_MARK, snapshot.mark)
        target = self._output / f"{CHECKPOINT_PREFIX}{snapshot.step}"
        if target.exists():
            shutil.rmtree(target)
        partial.rename(target)
