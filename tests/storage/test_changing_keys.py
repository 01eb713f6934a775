"""Keys that lie in files, as a mounted Secret's do, may change while a store is open."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.harness.mounted_keys import Guard, session_keys, write_secret
from tests.harness.s3_in_memory import S3InMemory, s3_in_memory
from trainjobs.errors import AccessDenied
from trainjobs.storage.opening import open_store
from trainjobs.storage.store import Store


def opened(server: S3InMemory, folder: Path) -> Store:
    return open_store(f"{server.make_bucket('runs')}/run", settings=replace(server.settings, keys=folder))


def test_a_token_that_is_replaced_is_read_again_before_the_next_request(tmp_path: Path):
    guard, folder = Guard(), tmp_path / "keys"
    write_secret(folder, "1", **session_keys("first"))
    with s3_in_memory(guard) as server:
        store = opened(server, folder)
        store.put("before", b"1")
        guard.token = "second"
        with pytest.raises(AccessDenied, match=f"the keys come from the Secret mounted at {folder}"):
            store.put("between", b"2")
        write_secret(folder, "2", **session_keys("second"))
        store.put("after", b"3")
        assert store.get("after") == b"3"


def test_keys_that_are_gone_for_a_while_are_kept(tmp_path: Path):
    guard, folder = Guard(), tmp_path / "keys"
    write_secret(folder, "1", **session_keys("first"))
    with s3_in_memory(guard) as server:
        store = opened(server, folder)
        write_secret(folder, "2")
        store.put("meanwhile", b"1")


@pytest.mark.parametrize("there", [{}, {"AWS_ACCESS_KEY_ID": "half"}])
def test_a_folder_without_keys_leaves_them_to_the_environment(tmp_path: Path, server: S3InMemory, there):
    write_secret(tmp_path / "keys", "1", **there)
    opened(server, tmp_path / "keys").put("key", b"1")
    assert "Credential=tests/" in server.asked[-1].headers["authorization"]
