import gzip
import os
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from trainjobs.agent.log_upload import LogUpload, Printed
from trainjobs.agent.secrets import Secrets
from trainjobs.core.checkpoints.layout import log_key, parse_log_key
from trainjobs.core.uris import file_uri
from trainjobs.storage.opening import open_store


@given(st.lists(st.binary(max_size=8)), st.integers(1, 20))
def test_what_is_kept_of_a_log_is_its_end(chunks: list[bytes], most: int) -> None:
    printed = Printed(most)
    for chunk in chunks:
        printed.write(chunk)

    whole, kept = b"".join(chunks), printed.end()

    assert whole.endswith(kept)
    assert len(kept) <= most
    assert printed.size == len(whole)
    assert kept == whole or whole[: len(whole) - len(kept)].endswith(b"\n") or b"\n" not in whole[-most:]


@given(st.integers(1, 10**9), st.integers(0, 10**5))
def test_a_log_is_found_by_its_key(attempt: int, node: int) -> None:
    assert parse_log_key(log_key(attempt, node)) == (attempt, node)


def test_secrets_never_reach_a_stored_log(tmp_path: Path) -> None:
    printed = Printed()
    upload = LogUpload(printed, Secrets({"WANDB_API_KEY": "s3cr3t-value"}), attempt=3, node_rank=1)
    upload.begin(open_store(file_uri(tmp_path)))
    printed.write(b"logged in with s3cr3t-value\n")

    upload.close(lambda: 10)

    stored = tmp_path / "logs" / "attempt-0003" / "node-1.log.gz"
    assert gzip.decompress(stored.read_bytes()) == b"logged in with ***\n"


def test_a_log_is_stored_while_the_attempt_goes_on(tmp_path: Path) -> None:
    printed = Printed()
    upload = LogUpload(printed, Secrets({}), attempt=1, node_rank=0, every_seconds=0.01)
    upload.begin(open_store(file_uri(tmp_path)))
    printed.write(b"step 1\n")
    stored = tmp_path / "logs" / "attempt-0001" / "node-0.log.gz"
    while not stored.exists():
        os.sched_yield()

    assert gzip.decompress(stored.read_bytes()) == b"step 1\n"
    upload.close(lambda: 10)
