"""What every store does, shown on both kinds."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from trainjobs.errors import CorruptCheckpoint, InvalidData, InvalidRecipe
from trainjobs.storage.settings import MIB
from trainjobs.storage.store import AlreadyExists, Digest, ObjectInfo, ObjectNotFound, Store


def test_what_was_put_is_what_is_got(store: Store):
    store.put("a/b.txt", b"first")
    store.put("a/b.txt", b"second")
    assert store.get("a/b.txt") == b"second"
    assert store.head("a/b.txt") == ObjectInfo("a/b.txt", 6)


def test_an_empty_object_is_an_object(store: Store, tmp_path: Path):
    (tmp_path / "empty").write_bytes(b"")
    digest = store.put_file("empty", str(tmp_path / "empty"))
    assert store.get("empty") == b""
    assert store.get_file("empty", str(tmp_path / "back"), digest).size == 0


def test_names_with_unusual_characters_survive(store: Store):
    names = ["a b.txt", "ü/报告.json", "100%20.bin", "x#1+?&=.txt", "'q'\"", "~tilde", "*.star", "[0]{1}"]
    for name in names:
        store.put(name, name.encode())
    assert {info.key for info in store.list()} == set(names)
    assert [store.get(name) for name in names] == [name.encode() for name in names]


def test_what_is_not_there_is_not_found(store: Store, tmp_path: Path):
    assert store.head("nothing") is None
    assert list(store.list("nothing")) == []
    for read in (store.get, store.digest, lambda key: store.get_file(key, str(tmp_path / "x"))):
        with pytest.raises(ObjectNotFound, match="nothing"):
            read("nothing")
    assert not (tmp_path / "x").exists()
    store.delete(["nothing", "no/thing"])
    store.delete_folder("nothing")


def test_a_folder_is_no_object(store: Store):
    store.put("folder/x", b"1")
    assert store.head("folder") is None
    with pytest.raises(ObjectNotFound):
        store.get("folder")


def test_listing_goes_by_whole_names(store: Store):
    for key in ("run/a", "run/b/c", "run2/d", "runs"):
        store.put(key, b"1")
    assert {info.key for info in store.list("run")} == {"run/a", "run/b/c"}
    assert {info.key for info in store.at("run").list()} == {"a", "b/c"}


def test_deleting_a_folder_leaves_its_neighbours(store: Store):
    for key in ("run/a", "run/b/c", "run2/d"):
        store.put(key, b"1")
    store.delete_folder("run")
    assert {info.key for info in store.list()} == {"run2/d"}


def test_exactly_one_of_many_writers_creates_an_object(store: Store):
    start = threading.Barrier(12)

    def create(writer: int) -> int | None:
        start.wait()
        try:
            store.create("attempts/0001.json", b"%d" % writer)
        except AlreadyExists:
            return None
        return writer

    with ThreadPoolExecutor(12) as threads:
        won = [writer for writer in threads.map(create, range(12)) if writer is not None]
    assert len(won) == 1
    assert store.get("attempts/0001.json") == b"%d" % won[0]


@pytest.mark.parametrize("size", [1, 5 * MIB, 5 * MIB + 1, 17 * MIB + 3])
def test_a_file_of_any_size_comes_back_bit_by_bit(store: Store, tmp_path: Path, size: int):
    data = os.urandom(size)
    (tmp_path / "file").write_bytes(data)
    digest = store.put_file("deep/file", str(tmp_path / "file"))
    assert digest.size == size
    assert store.digest("deep/file") == digest
    assert store.get_file("deep/file", str(tmp_path / "new" / "back"), digest) == digest
    assert (tmp_path / "new" / "back").read_bytes() == data


def test_a_file_that_is_not_as_expected_never_appears(store: Store, tmp_path: Path):
    store.put("x", b"hello")
    wrong = Digest(5, "0" * 64)
    with pytest.raises(CorruptCheckpoint, match=r"/x: checksum is 2cf24dba5fb0a30e… instead of 0000"):
        store.get_file("x", str(tmp_path / "back"), wrong)
    with pytest.raises(CorruptCheckpoint, match=r"/x: has 5 bytes instead of 6"):
        store.get_file("x", str(tmp_path / "back"), Digest(6, "0" * 64))
    assert list(tmp_path.glob("*back*")) == []


@pytest.mark.parametrize(
    "key",
    ["../x", "a/../../x", "/etc/passwd", "a//b", "a/./b", "", "..", "a\\..\\b", "a\0b", "a/", ".x.partial"],
)
def test_a_key_that_leaves_the_folder_is_refused_before_a_byte_is_written(
    store: Store, where, tmp_path: Path, key: str
):
    (tmp_path / "file").write_bytes(b"data")
    writes = (
        lambda: store.put(key, b"data"),
        lambda: store.create(key, b"data"),
        lambda: store.put_file(key, str(tmp_path / "file")),
        lambda: store.delete([key]),
        lambda: store.at(key),
        lambda: store.get(key),
    )
    for write in writes:
        with pytest.raises(InvalidRecipe, match="storage key"):
            write()
    assert not where.folder.exists()


def test_a_file_that_grows_while_it_is_stored_is_refused(store: Store, tmp_path: Path):
    path = tmp_path / "growing"
    path.write_bytes(os.urandom(12 * MIB))
    stop = threading.Event()

    def grow() -> None:
        with open(path, "ab") as file:
            while not stop.is_set():
                file.write(b"x")
                file.flush()

    writer = threading.Thread(target=grow)
    writer.start()
    try:
        with pytest.raises(InvalidData, match="growing: changed while it was being read"):
            store.put_file("growing", str(path))
    finally:
        stop.set()
        writer.join()
    assert store.head("growing") is None


def test_all_transfers_together_stay_within_one_budget(store: Store, tmp_path: Path):
    for index in range(6):
        (tmp_path / f"{index}").write_bytes(os.urandom(16 * MIB))
    with ThreadPoolExecutor(6) as threads:
        put = list(threads.map(lambda i: store.put_file(f"f{i}", str(tmp_path / f"{i}")), range(6)))
        got = list(threads.map(lambda i: store.get_file(f"f{i}", str(tmp_path / f"b{i}"), put[i]), range(6)))
        assert list(threads.map(lambda i: store.digest(f"f{i}"), range(6))) == put == got
    assert 0 < store.budget.peak <= 20 * MIB
    assert store.budget.in_use == 0
