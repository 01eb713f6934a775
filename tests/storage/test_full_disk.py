"""Storage that is full: the save fails in one line, what was complete stays whole, nothing torn is left."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.harness.attempts import begin
from tests.harness.small_disk import CannotMount, small_disk, small_files
from tests.harness.versitygw import s3_server
from trainjobs.core.checkpoints.layout import CheckpointRef
from trainjobs.core.checkpoints.retention import Retention
from trainjobs.core.uris import file_uri
from trainjobs.errors import DiskFull, StorageUnusable
from trainjobs.storage.checkpoints import CheckpointStore
from trainjobs.storage.opening import open_store
from trainjobs.storage.settings import MIB, StorageSettings


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 24 MiB."""
    try:
        with small_disk(tmp_path / "disk", 24 * MIB) as folder:
            yield folder
    except CannotMount as error:
        pytest.skip(f"needs the right to mount a file system: {error}")


def source(tmp_path: Path, name: str, size: int) -> Path:
    (tmp_path / name).mkdir()
    (tmp_path / name / "model.safetensors").write_bytes(os.urandom(size))
    (tmp_path / name / "trainer_state.json").write_bytes(b"{}")
    return tmp_path / name


def first_checkpoint(run: CheckpointStore, tmp_path: Path) -> None:
    begin(run, 1, "job", "pod")
    run.save(source(tmp_path, "first", 6 * MIB), step=100, attempt=1)


def refuse_and_stay_whole(run: CheckpointStore, tmp_path: Path, message: str) -> None:
    """Save what does not fit; the first checkpoint must not have suffered."""
    with pytest.raises(StorageUnusable, match=message) as caught:
        run.save(source(tmp_path, "second", 20 * MIB), step=200, attempt=1)
    assert "\n" not in str(caught.value)
    assert list(run.complete()) == [CheckpointRef(100, 1)]
    assert not any(key.startswith("checkpoints/step-00000200") and "model" in key for key in keys(run))
    run.restore(CheckpointRef(100, 1), tmp_path / "back")
    first = (tmp_path / "first" / "model.safetensors").read_bytes()
    assert (tmp_path / "back" / "model.safetensors").read_bytes() == first


def keys(run: CheckpointStore) -> set[str]:
    return {info.key for info in run.store.list()}


def test_a_full_disk_leaves_the_complete_checkpoint_whole(disk: Path, tmp_path: Path):
    run = CheckpointStore(open_store(file_uri(disk / "runs")))
    first_checkpoint(run, tmp_path)
    refuse_and_stay_whole(
        run, tmp_path, r"model\.safetensors: No space left on device while writing; free some"
    )
    assert list(disk.rglob("*.partial")) == []
    # Once there is room, the same save completes.
    run.store.delete_folder("checkpoints/step-00000100-a0001")
    run.save(tmp_path / "second", step=200, attempt=1)
    assert run.verify() == ()
    assert run.prune(Retention(1), attempt=1) == ()


def test_a_quota_leaves_the_complete_checkpoint_whole(tmp_path: Path):
    run = CheckpointStore(open_store(file_uri(tmp_path / "runs")))
    first_checkpoint(run, tmp_path)
    big = source(tmp_path, "big", 20 * MIB)
    with (
        small_files(10 * MIB),
        pytest.raises(StorageUnusable, match=r"model\.safetensors: File too large while writing; free some"),
    ):
        run.save(big, step=200, attempt=1)
    assert list(run.complete()) == [CheckpointRef(100, 1)]
    assert list(tmp_path.rglob("*.partial")) == []
    assert run.verify()[0].folder == "checkpoints/step-00000200-a0001"
    run.save(big, step=200, attempt=1)
    assert run.verify() == ()


def test_a_full_disk_under_the_download_leaves_no_torn_file(disk: Path, tmp_path: Path):
    run = CheckpointStore(open_store(file_uri(tmp_path / "runs")))
    begin(run, 1, "job", "pod")
    run.save(source(tmp_path, "big", 30 * MIB), step=100, attempt=1)
    # Of this machine's own disk: no storage is waited for because of it.
    with pytest.raises(DiskFull, match=r"model\.safetensors: No space left on device while writing"):
        run.restore(CheckpointRef(100, 1), disk / "back")
    assert {path.name for path in (disk / "back").iterdir()} <= {"trainer_state.json"}


def test_an_s3_server_whose_disk_is_full_leaves_the_complete_checkpoint_whole(
    disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    with s3_server(disk / "buckets") as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        settings = replace(server.settings, part_bytes=5 * MIB, memory_bytes=20 * MIB, retry_seconds=5)
        run = CheckpointStore(open_store(server.make_bucket("full"), settings=settings))
        first_checkpoint(run, tmp_path)
        refuse_and_stay_whole(run, tmp_path, f"s3://full at {server.endpoint}: storage is full")


def test_a_folder_that_may_not_be_written_is_named(tmp_path: Path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageUnusable, match=r"file: not a folder while opening the storage folder"):
        open_store(file_uri(tmp_path / "file" / "runs"), settings=StorageSettings())
