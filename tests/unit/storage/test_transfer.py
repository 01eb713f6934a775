"""Folders are read whole, and one failure stops the rest."""

import os
import time
from pathlib import Path

import pytest

from trainjobs.errors import InvalidData
from trainjobs.storage.transfer import files_of, in_parallel


def test_the_biggest_file_goes_first(tmp_path: Path):
    for name, size in (("small", 1), ("big", 9), ("sub/middle", 5)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x" * size)
    assert files_of(tmp_path) == (("big", 9), ("sub/middle", 5), ("small", 1))


def test_a_link_to_a_file_counts_as_the_file(tmp_path: Path):
    (tmp_path / "blob").write_bytes(b"12345")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "model").symlink_to(tmp_path / "blob")
    assert files_of(tmp_path / "folder") == (("model", 5),)


def test_what_cannot_be_stored_is_named(tmp_path: Path):
    with pytest.raises(InvalidData, match="no files to store there"):
        files_of(tmp_path)
    (tmp_path / "loop").symlink_to(tmp_path)
    with pytest.raises(InvalidData, match="loop: neither a file nor a folder"):
        files_of(tmp_path)
    (tmp_path / "loop").unlink()
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InvalidData, match="pipe: neither a file nor a folder"):
        files_of(tmp_path)
    (tmp_path / "pipe").unlink()
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    with pytest.raises(InvalidData, match="dangling: No such file"):
        files_of(tmp_path)


def test_results_come_in_the_order_of_the_items():
    assert in_parallel(lambda number: number * 2, range(50), 7) == tuple(range(0, 100, 2))


def test_the_first_error_stops_what_has_not_begun():
    begun: list[int] = []

    def work(number: int) -> None:
        begun.append(number)
        if number == 0:
            raise ConnectionError("the first")
        # All of them would take five seconds: long enough for the one who stops them to be heard.
        time.sleep(0.01)

    with pytest.raises(ConnectionError, match="the first"):
        in_parallel(work, range(1000), 2)
    assert len(begun) < 1000
