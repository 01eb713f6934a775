"""Which files of a folder are rows, and how they are unpacked."""

import gzip
import hashlib
import json
from pathlib import Path

import pytest

from trainjobs.errors import InvalidData
from trainjobs.ml.data.files import LONGEST_LINE
from trainjobs.ml.data.jsonl import JsonLines


def write(path: Path, *values: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps({"a": value}) + "\n" for value in values))
    return path


def values(path: Path) -> list[object]:
    return [line.row["a"] for line in JsonLines(path)]


def test_hidden_files_and_folders_are_passed_over(tmp_path: Path):
    folder = tmp_path / ".cache" / "rows"
    write(folder / "a.jsonl", 1)
    write(folder / "part" / "b.jsonl", 2)
    for hidden in (
        ".ipynb_checkpoints/a-checkpoint.jsonl",
        "._a.jsonl",
        "part/.b.jsonl.swp.jsonl",
        "..data/a.jsonl",
    ):
        write(folder / hidden, 9)
    (folder / "README.md").write_text("rows")
    lines = JsonLines(folder)
    assert [line.row["a"] for line in lines] == [1, 2]
    assert sorted(lines.hashes) == ["a.jsonl", "part/b.jsonl"]
    assert "._a.jsonl" in lines.passed_over
    assert len(lines.passed_over) == 5


def test_only_hidden_files_are_no_rows(tmp_path: Path):
    write(tmp_path / ".a.jsonl", 1)
    with pytest.raises(InvalidData, match=r"holds no file named \*\.jsonl"):
        values(tmp_path)


def test_a_file_that_is_named_is_read_whatever_its_name(tmp_path: Path):
    assert values(write(tmp_path / ".rows", 1)) == [1]


def test_links_to_folders_are_followed_once(tmp_path: Path):
    write(tmp_path / "elsewhere" / "b.jsonl", 2)
    write(tmp_path / "rows" / "a.jsonl", 1)
    (tmp_path / "rows" / "more").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "rows" / "loop").symlink_to(tmp_path / "rows")
    assert values(tmp_path / "rows") == [1, 2]


def test_a_packed_file_is_read_and_hashed_as_it_lies(tmp_path: Path):
    packed = gzip.compress(write(tmp_path / "plain", 1, 2).read_bytes())
    (tmp_path / "rows" / "part").mkdir(parents=True)
    for name in ("a.jsonl.gz", "part/named-otherwise.jsonl"):
        (tmp_path / "rows" / name).write_bytes(packed)
    lines = JsonLines(tmp_path / "rows")
    assert [(line.where, line.row["a"]) for line in lines][:2] == [
        ("a.jsonl.gz line 1", 1),
        ("a.jsonl.gz line 2", 2),
    ]
    assert set(lines.hashes.values()) == {hashlib.sha256(packed).hexdigest()}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (gzip.compress(b'{"a": 1}\n' * 9)[:-4], "gzip cannot go on"),
        (
            b"\x28\xb5\x2f\xfd rest",
            r"rows\.jsonl: packed with zstd, which is not unpacked here; run zstd -d first",
        ),
        (b"PAR1 rest", r"rows\.jsonl: a Parquet file; give rows as JSON"),
        ('{"a": 1}\n'.encode("utf-16"), r"rows\.jsonl: text in UTF-16; convert it: iconv"),
    ],
    ids=["cut off", "zstd", "Parquet", "UTF-16"],
)
def test_what_is_no_text_is_called_what_it_is(tmp_path: Path, content: bytes, words: str):
    (tmp_path / "rows.jsonl").write_bytes(content)
    with pytest.raises(InvalidData, match=words):
        values(tmp_path / "rows.jsonl")


def test_a_line_without_end_is_refused_by_its_number_and_not_held(tmp_path: Path):
    path = write(tmp_path / "rows.jsonl", 1)
    with path.open("ab") as file:
        file.truncate(LONGEST_LINE * 100)
    with pytest.raises(InvalidData, match=r"^rows\.jsonl line 2: longer than 64 MiB"):
        values(path)
