"""`trainjobs data convert`, as it is typed."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from trainjobs.cli import data
from trainjobs.errors import TrainjobsError
from trainjobs.ml.data.jsonl import JsonLines

ROWS = [{"report": "甲", "scores": {"accuracy": 4.5}}, {"report": "b\u2028c", "scores": {"accuracy": 1}}]


def convert(*arguments: str | Path) -> Result:
    return CliRunner().invoke(data.app, ["convert", *map(str, arguments)])


@pytest.mark.parametrize(
    "content",
    [
        json.dumps(ROWS),
        json.dumps(ROWS, ensure_ascii=False, indent=2),
        "\ufeff" + "\n".join(json.dumps(row, indent=4) for row in ROWS) + "\n",
        "\n".join(json.dumps(row) for row in ROWS),
    ],
    ids=["an array", "an array over lines", "objects over lines", "rows"],
)
def test_objects_become_rows(tmp_path: Path, content: str):
    (tmp_path / "rows.json").write_text(content, encoding="utf-8")
    done = convert(tmp_path / "rows.json", "--to", tmp_path / "rows.jsonl")
    assert (done.exit_code, done.stderr) == (0, f"2 rows in {tmp_path / 'rows.jsonl'}\n")
    assert [line.row for line in JsonLines(tmp_path / "rows.jsonl")] == ROWS


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("[1]", "rows.json row 1: a number, not a JSON object"),
        ('[{"a": 1},\n {"a" 2}]', "rows.json line 2 column 7: not JSON"),
        ("\n", "rows.json is empty"),
    ],
)
def test_what_is_no_object_is_named_and_nothing_is_written(tmp_path: Path, content: str, words: str):
    (tmp_path / "rows.json").write_text(content)
    done = convert(tmp_path / "rows.json", "--to", tmp_path / "rows.jsonl")
    assert isinstance(done.exception, TrainjobsError)
    assert str(done.exception).startswith(words)
    assert [path.name for path in tmp_path.iterdir()] == ["rows.json"]


def test_a_file_never_takes_the_place_of_the_one_that_is_read(tmp_path: Path):
    path = tmp_path / "rows.json"
    path.write_text(json.dumps(ROWS))
    (tmp_path / "link.json").symlink_to(path)
    for target in (path, tmp_path / "link.json", tmp_path / "." / "rows.json"):
        done = convert(path, "--to", target)
        assert "it is read, too, and would be replaced" in str(done.exception)
    assert json.loads(path.read_text()) == ROWS
