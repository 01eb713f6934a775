"""Rows of texts with scores: every layout read, every fault named."""

import json
from pathlib import Path
from typing import Any

import pytest

from trainjobs.api.dataset import Dataset
from trainjobs.api.objective import ScoreDimension
from trainjobs.errors import InvalidData, InvalidRecipe
from trainjobs.ml.data.formats.scored import ScoredRow, ScoredRows
from trainjobs.ml.data.text import ReportParts

DIMENSIONS = [ScoreDimension(name="accuracy"), ScoreDimension(name="depth")]
GOOD = {"text": "fine", "scores": {"accuracy": 4, "depth": 3.5}}


def read(tmp_path: Path, *rows: Any, **dataset: Any) -> list[ScoredRow]:
    path = tmp_path / "train.jsonl"
    lines = [row if isinstance(row, bytes) else json.dumps(row).encode() for row in rows]
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    return list(ScoredRows(path, Dataset(train="file:///d", **dataset), DIMENSIONS))


def test_the_reports_format_needs_no_mapping(tmp_path: Path) -> None:
    row = {"system_prompt": "s", "input_data": {"a": 1}, "report": "r", "scores": {"accuracy": 4, "depth": 3}}
    [found] = read(tmp_path, row)
    assert found.text == ReportParts(report="r", system_prompt="s", input_data={"a": 1})
    assert found.scores == (4.0, 3.0)


def test_another_layout_is_read_through_the_mapping(tmp_path: Path) -> None:
    row = {"body": {"de": "ein Satz"}, "m": {"acc": 1}, "d": 2, "note": "unused"}
    fields = {"text": "body.de", "dimensions": {"accuracy": "m.acc", "depth": "d"}}
    [found] = read(tmp_path, row, fields=fields)
    assert (found.text, found.scores) == ("ein Satz", (1.0, 2.0))


def test_annotators_scores_are_averaged(tmp_path: Path) -> None:
    scores = [{"accuracy": 1, "depth": 5}, {"accuracy": 2, "depth": 5}]
    [found] = read(tmp_path, {"text": "t", "scores": scores})
    assert found.scores == (1.5, 5.0)
    assert found.ratings == ((1.0, 5.0), (2.0, 5.0))


BAD_ROWS = [
    ({"text": "t", "scores": {"accuracy": 7, "depth": 1}},
     ": scores.accuracy is 7, outside 0…5 (spec.objective.regression.dimensions[0])"),
    ({"text": "t", "scores": {"accuracy": 4}},
     ": scores.depth is missing (spec.objective.regression.dimensions[1])"),
    (b'{"text": "t", "scores": {"accuracy": NaN, "depth": 1}}', " column 38: NaN is not JSON"),
    (b'{"text": "t", "scores": {"accuracy": 1e999, "depth": 1}}', " column 38: 1e999 is larger than"),
    ({"text": "t", "scores": {"accuracy": "4", "depth": 1}}, ": scores.accuracy is a string"),
    ({"text": "t", "scores": {"accuracy": True, "depth": 1}}, ": scores.accuracy is a truth value"),
    ({"text": "t", "scores": {"accuracy": 10**400, "depth": 1}}, ": scores.accuracy is 1000"),
    ({"text": "t", "scores": {"accuracy": -(10**400), "depth": 1}}, ": scores.accuracy is -1000"),
    ({"text": "t", "scores": {"Accuracy": 1, "depth": 1}}, ": scores.accuracy is missing"
     " (spec.objective.regression.dimensions[0]); is 'Accuracy' meant? it has Accuracy, depth"),
    ({"text": "t", "Scores": {}}, ": no column scores (spec.dataset.fields.scores); is 'Scores' meant?"),
    ({"text": "t", "scores": []}, ": scores is an empty list"),
    ({"text": "t", "scores": [GOOD["scores"], {"accuracy": 9, "depth": 1}]},
     ": scores[1].accuracy is 9, outside"),
    ({"text": "t"}, ": no column scores"),
    ({"scores": GOOD["scores"]}, ": no column text (spec.dataset.fields.text)"),
    ({"text": 5, "scores": GOOD["scores"]}, ": text is a number; give a text"),
    ({"text": " ", "scores": GOOD["scores"]}, ": text is empty"),
    (b"{", " column 2: not JSON (it ends in the middle): '{'; a row is one object on one line"),
    (b"[1]", ": a list, not a JSON object"),
    (b'{"text": "\xff"}', ": not UTF-8 (byte 0xff in column 11)"),
    (b'{"text": "\\ud800", "scores": {"accuracy": 1, "depth": 1}}', ": text holds half a character"),
    (b"[" * 100_000, ": not JSON"),
]  # fmt: skip


@pytest.mark.parametrize(("row", "message"), BAD_ROWS, ids=[message[:30] for _, message in BAD_ROWS])
def test_a_bad_row_is_refused_by_file_line_and_column(tmp_path: Path, row: Any, message: str) -> None:
    with pytest.raises(InvalidData) as refused:
        read(tmp_path, GOOD, row, GOOD)
    assert str(refused.value).startswith(f"train.jsonl line 2{message}")
    assert "\n" not in str(refused.value)


def test_blank_lines_and_a_byte_order_mark_are_no_rows(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(GOOD).encode() + b"\r\n\n   \n")
    assert len(list(ScoredRows(path, Dataset(train="file:///d"), DIMENSIONS))) == 1


def test_a_folder_is_read_in_the_order_of_names_with_a_hash_for_each_file(tmp_path: Path) -> None:
    for name, value in (("b.jsonl", 2), ("a.jsonl", 1), ("notes.txt", 9)):
        row = {"text": name, "scores": {"accuracy": value, "depth": value}}
        (tmp_path / name).write_text(json.dumps(row) + "\n")
    source = ScoredRows(tmp_path, Dataset(train="file:///d"), DIMENSIONS)
    assert [row.text for row in source] == ["a.jsonl", "b.jsonl"]
    assert sorted(source.hashes) == ["a.jsonl", "b.jsonl"]


@pytest.mark.parametrize(
    ("name", "message"),
    [("empty.jsonl", "empty.jsonl is empty"), ("none", "is not there"), ("", "holds no file")],
)
def test_nothing_to_read_is_said(tmp_path: Path, name: str, message: str) -> None:
    if name.endswith(".jsonl"):
        (tmp_path / name).write_text("\n")
    with pytest.raises(InvalidData, match=message):
        list(ScoredRows(tmp_path / name, Dataset(train="file:///d"), DIMENSIONS))


def test_a_mapping_for_an_unknown_dimension_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidRecipe, match="style is no dimension"):
        read(tmp_path, GOOD, fields={"dimensions": {"style": "s"}})


def test_a_format_without_scores_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidRecipe, match=r"spec\.dataset\.format: Messages has no scores"):
        read(tmp_path, GOOD, format="Messages")
