"""No torn file ever has its final name, whenever its writer ends."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from trainjobs.errors import AccessDenied, StorageUnavailable, StorageUnusable
from trainjobs.storage.files import HashedParts, create_file, digest_of, local_error, write_file
from trainjobs.storage.store import AlreadyExists

WRITER = """
import sys
from pathlib import Path
from trainjobs.storage.files import write_file

def chunks():
    while True:
        yield b"new" * 100_000

write_file(Path(sys.argv[1]), chunks())
"""


def test_a_writer_that_is_killed_leaves_the_old_file_as_it_was(tmp_path: Path):
    path = tmp_path / "weights"
    path.write_bytes(b"old")
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)])
    deadline = time.monotonic() + 120
    while not any(partial.stat().st_size for partial in tmp_path.glob(".weights.*.partial")):
        assert time.monotonic() < deadline
        time.sleep(0.005)
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    assert path.read_bytes() == b"old"


def test_a_writer_that_fails_leaves_nothing_behind(tmp_path: Path):
    def chunks():
        yield b"some"
        raise ConnectionError

    with pytest.raises(ConnectionError):
        write_file(tmp_path / "weights", chunks())
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_exists_is_never_created_again(tmp_path: Path):
    create_file(tmp_path / "claim", b"first")
    with pytest.raises(AlreadyExists, match="claim: exists already"):
        create_file(tmp_path / "claim", b"second")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"first"]


def test_the_checksum_is_that_of_sha256sum(tmp_path: Path):
    (tmp_path / "x").write_bytes(os.urandom(100_001))
    by_hand = subprocess.run(["sha256sum", tmp_path / "x"], capture_output=True, text=True, check=True)
    assert digest_of(str(tmp_path / "x"), 4096).sha256 == by_hand.stdout.split()[0]


@pytest.mark.parametrize("size", [0, 1, 4095, 4096, 4097, 12288])
def test_a_file_is_read_in_parts_and_read_again_when_asked(tmp_path: Path, size: int):
    data = os.urandom(size)
    (tmp_path / "x").write_bytes(data)
    parts = HashedParts(str(tmp_path / "x"), 4096)
    for _ in range(2):
        read = [bytes(part) for part in parts]
        assert b"".join(read) == data
        assert all(len(part) == 4096 for part in read[:-1])
        assert parts.digest.size == size


@pytest.mark.parametrize(
    ("number", "error", "message"),
    [
        (28, StorageUnusable, "No space left on device while writing; free some space"),
        (122, StorageUnusable, "Disk quota exceeded while writing; free some space"),
        (13, AccessDenied, "Permission denied while writing; check the folder's owner and mode"),
        (30, AccessDenied, "Read-only file system while writing"),
        (20, StorageUnusable, "Not a directory while writing"),
        (5, StorageUnavailable, "Input/output error while writing"),
        (116, StorageUnavailable, "Stale file handle while writing"),
    ],
)
def test_what_the_system_refuses_is_said_in_one_line(number: int, error: type[Exception], message: str):
    found = local_error(OSError(number, os.strerror(number)), "/data/x", "writing")
    assert type(found) is error
    assert str(found).startswith(f"/data/x: {message}")
