"""Choosing what to take home from a run's storage, and fetching it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from trainjobs.api.checkpoints import KeepBest
from trainjobs.cli.stored import StoredRun, best_of
from trainjobs.core.checkpoints.manifest import Manifest
from trainjobs.errors import UsageError
from trainjobs.storage.complete import fetch_folder, read_manifest
from trainjobs.storage.store import Store

STEPS_NAMED: Final = 10
_LOOK_SECONDS: Final = 0.2
_BLOCK_BYTES: Final = 512
"""What `st_blocks` counts in."""


def choose(run: StoredRun, *, step: int | None, best_by: KeepBest | None) -> str:
    """Return the folder, in the run's, of a checkpoint: of this step, the best, or else the latest.

    Raises:
        UsageError: it is not there; names what is.
    """
    uri = run.store.store.uri
    complete = run.store.complete()
    if not complete:
        raise UsageError(f"{uri}: has no complete checkpoint yet")
    if best_by is not None:
        best = best_of(complete, best_by)
        if best is None:
            raise UsageError(
                f"{uri}: no checkpoint has the metric {best_by.metric}; give another by --metric"
            )
        return best.folder
    if step is None:
        return max(complete).folder
    found = [ref for ref in complete if ref.step == step]
    if not found:
        steps = ", ".join(str(ref.step) for ref in sorted(complete)[-STEPS_NAMED:])
        raise UsageError(f"{uri}: has no complete checkpoint of step {step}; the newest are of {steps}")
    return max(found).folder


def fetch(store: Store, folder: Path) -> Manifest:
    """Fetch what a manifest at the root of `store` names into a folder that holds nothing else.

    A terminal shows how far it is.

    Raises:
        UsageError: the folder holds other files: they would be taken for a part of it.
        CorruptCheckpoint: a file is damaged; names it.
    """
    manifest = read_manifest(store)
    expected = {entry.path for entry in manifest.files}
    there = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir())
    strange = [name for name in there if name not in expected and not name.endswith(".partial")]
    if strange:
        raise UsageError(f"{folder}: holds other files ({strange[0]}); give an empty folder by --to")
    with _shown(store.uri, manifest.size, folder):
        return fetch_folder(store, folder)


@contextmanager
def _shown(uri: str, size: int, folder: Path) -> Iterator[None]:
    """Show how much of it lies in the folder, until all does."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        DownloadColumn(),
        TransferSpeedColumn(),
    )
    over = threading.Event()
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(f"Fetching {uri}", total=size)

        def look() -> None:
            while not over.wait(_LOOK_SECONDS):
                bar.update(task, completed=min(size, _bytes_in(folder)))

        looking = threading.Thread(target=look, name="fetching", daemon=True)
        looking.start()
        try:
            yield
        finally:
            over.set()
            looking.join()


def _bytes_in(folder: Path) -> int:
    # A file that is being written may be as long as it will be, and still be empty.
    total = 0
    for path in folder.rglob("*"):
        try:
            status = path.stat()
        except OSError:
            continue
        total += min(status.st_size, status.st_blocks * _BLOCK_BYTES) if path.is_file() else 0
    return total
