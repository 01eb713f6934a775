"""Memory is bounded for all files together, measured on a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.harness.versitygw import S3Server
from trainjobs.storage.settings import MIB

BUDGET = 20 * MIB
PROGRAM = """
import os, sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
import psutil
from trainjobs.storage.opening import open_store
from trainjobs.storage.settings import MIB, StorageSettings

uri, folder, budget, direction = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
settings = replace(StorageSettings.from_environment(os.environ), part_bytes=5 * MIB, memory_bytes=budget)
store = open_store(uri, settings=settings)
store.put("warm", b"up")
store.get("warm")
before = psutil.Process().memory_info().rss
with ThreadPoolExecutor(8) as threads:
    for path in folder.iterdir():
        if direction == "up":
            threads.submit(store.put_file, path.name, str(path)).add_done_callback(lambda f: f.result())
        else:
            threads.submit(store.digest, path.name).add_done_callback(lambda f: f.result())
# Not getrusage: that counts the parent that this process was forked from.
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(int(peak.split()[1]) * 1024 - before)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Eight files of 40 MiB."""
    (tmp_path / "source").mkdir()
    for index in range(8):
        (tmp_path / "source" / f"{index}").write_bytes(os.urandom(MIB) * 40)
    return tmp_path / "source"


def growth(uri: str, folder: Path, direction: str) -> int:
    """Bytes that a process grew by at most while all files were transferred side by side."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, uri, str(folder), str(BUDGET), direction],
        check=True, capture_output=True, text=True, env=dict(os.environ),
    )  # fmt: skip
    assert done.stderr == ""
    return int(done.stdout)


def test_eight_files_side_by_side_grow_the_process_by_little_more_than_the_budget(
    s3_environment: S3Server, folder: Path
):
    uri = s3_environment.make_bucket("memory") + "/runs"
    assert growth(uri, folder, "up") < BUDGET + 20 * MIB
    # What comes in is allocated by the network's threads, each from an arena of its own.
    assert growth(uri, folder, "down") < 4 * BUDGET + 40 * MIB
