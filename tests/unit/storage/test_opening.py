"""Opening a folder needs neither obstore nor boto3, and sees early what cannot be used."""

import subprocess
import sys
from pathlib import Path

import pytest

from trainjobs.core.uris import file_uri
from trainjobs.storage.opening import open_store


def test_a_folder_that_is_not_there_yet_is_made_by_the_first_write(tmp_path: Path):
    store = open_store(file_uri(tmp_path / "new" / "runs"))
    assert not (tmp_path / "new").exists()
    assert list(store.list()) == []
    store.put("x", b"1")
    assert (tmp_path / "new" / "runs" / "x").read_bytes() == b"1"


@pytest.mark.parametrize("name", ["my runs", "my%20runs", "runs#3", "runs?"])
def test_a_folder_is_the_one_that_is_typed(tmp_path: Path, name: str):
    open_store(f"file://{tmp_path}/{name}").put("x", b"1")
    assert (tmp_path / name / "x").exists()


def test_opening_a_folder_loads_no_client_of_s3(tmp_path: Path):
    program = (
        "import sys; from trainjobs.storage import checkpoints\n"
        "from trainjobs.storage.opening import open_store\n"
        f"open_store({file_uri(tmp_path)!r})\n"
        "print([name for name in ('boto3', 'botocore', 'obstore', 'torch') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
