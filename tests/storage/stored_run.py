"""What tests do with the stored part of a run."""

import os
from collections.abc import Callable
from pathlib import Path

from tests.harness import attempts
from trainjobs.storage.checkpoints import CheckpointStore
from trainjobs.storage.settings import MIB

MakeFolder = Callable[[dict[str, bytes]], Path]
FILES = {
    "model.safetensors": os.urandom(6 * MIB),
    "trainer_state.json": b"{}",
    "rng/rng_state_0.pth": b"\1" * 99,
}


def begin(run: CheckpointStore, attempt: int, pod: str = "pod"):
    """Claim an attempt."""
    return attempts.begin(run, attempt, f"job-{attempt}", f"{pod}-{attempt}")


def read(folder: Path) -> dict[str, bytes]:
    """The files of a folder."""
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def keys(run: CheckpointStore) -> set[str]:
    """What the run has in storage."""
    return {info.key for info in run.store.list()}
