"""All rows of a run hold their texts in the same columns; the one that does not is named."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainjobs.api.dataset import Dataset, Fields
from trainjobs.api.objective import ScoreDimension
from trainjobs.errors import InvalidData, InvalidRecipe
from trainjobs.ml.data.columns import PARTS, Columns, find_columns, read_text
from trainjobs.ml.data.formats.scored import ScoredRows
from trainjobs.ml.data.jsonl import Line
from trainjobs.ml.data.text import DEFAULT_TEMPLATE, ReportParts, ScoredText, join

REPORT = {"report": "r"}


def read(
    *rows: dict[str, object], fields: dict[str, str] | None = None, template: str | None = None
) -> list[Any]:
    columns: Columns | None = None
    texts = []
    for number, row in enumerate(rows, 1):
        line = Line(f"a.jsonl line {number}", row)
        columns = columns or find_columns(line, Fields.model_validate(fields or {}), template)
        texts.append(read_text(line, columns))
    return texts


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (
            [REPORT, {**REPORT, "input_data": {"a": 1}}],
            "line 2: input_data stands here, and not in a.jsonl line 1",
        ),
        ([REPORT, REPORT, {**REPORT, "system_prompt": "s"}], "line 3: system_prompt stands here, and not in"),
        (
            [{**REPORT, "input_data": 1}, REPORT],
            r"line 2: no column input_data .*, as in a.jsonl line 1; give it",
        ),
        ([{"text": "t"}, {**REPORT, "text": "t"}], "line 2: report stands here, and not in"),
        ([REPORT, {**REPORT, "text": "t"}], "line 2: text stands here, and not in"),
        ([{**REPORT, "text": "t"}], r"line 1: text stands beside report; say what is scored: .*fields\.text"),
        ([{"text": "t", "input_data": 1}], "line 1: text stands beside input_data; say what is scored"),
    ],
)
def test_a_column_that_not_all_rows_have_is_refused_with_its_line(rows: list[dict[str, object]], words: str):
    with pytest.raises(InvalidData, match=words):
        read(*rows)


def test_empty_columns_say_that_there_is_nothing():
    rows = [
        {**REPORT, "input_data": None},
        {**REPORT, "input_data": ""},
        {**REPORT, "input_data": 1, "text": None},
    ]
    assert [text.input_data for text in read(*rows)] == ["", "", 1]


def test_a_mapping_makes_the_wish_explicit():
    row = {**REPORT, "text": "t", "input_data": 1}
    assert read(row, fields={"text": "text"}) == ["t"]
    assert read(row, fields={"report": "text"}) == [ReportParts(report="t", input_data=1)]
    with pytest.raises(
        InvalidData, match=r"line 1: no column data .*inputData\), which spec\.dataset asks for"
    ):
        read(row, fields={"inputData": "data", "report": "report"})


def test_a_template_says_which_parts_are_wanted():
    rows = [REPORT, {**REPORT, "input_data": 1}]
    assert read(*rows, template="{report}") == [ReportParts(report="r")] * 2
    with pytest.raises(InvalidData, match="line 1: no column input_data"):
        read(*rows, template="{input_data} {report}")
    with pytest.raises(InvalidRecipe, match=r"spec\.dataset\.template: it joins the parts of a report"):
        read({"text": "t"}, template="{report}")


@pytest.mark.parametrize(
    ("taught", "row"), [(["report"], {**REPORT, "input_data": 1}), (list(PARTS), REPORT)]
)
def test_rows_are_held_against_those_that_a_model_learned_from(taught: list[Any], row: dict[str, object]):
    columns = Columns.known(taught, Fields(), DEFAULT_TEMPLATE, "the training rows")
    with pytest.raises(InvalidData, match="in the training rows"):
        read_text(Line("a.jsonl line 1", row), columns)


def test_the_columns_of_training_rows_are_those_of_the_others(tmp_path: Path):
    for name, row in (("train", REPORT), ("eval", {**REPORT, "input_data": 1})):
        (tmp_path / f"{name}.jsonl").write_text(json.dumps({**row, "scores": {"accuracy": 1}}) + "\n")
    dataset, dimensions = Dataset(train="file:///d"), [ScoreDimension(name="accuracy")]
    train = ScoredRows(tmp_path / "train.jsonl", dataset, dimensions)
    assert len(list(train)) == 1
    with pytest.raises(
        InvalidData, match=r"eval\.jsonl line 1: input_data stands here, and not in train\.jsonl"
    ):
        list(ScoredRows(tmp_path / "eval.jsonl", dataset, dimensions, columns=train.columns))


TEXT = st.text(st.sampled_from("ab"), min_size=1, max_size=2)
ROW = st.fixed_dictionaries({}, optional=dict.fromkeys(("text", *PARTS), TEXT))


@given(st.lists(ROW, min_size=1, max_size=4))
def test_what_is_read_holds_all_that_the_rows_hold(rows: list[dict[str, object]]):
    try:
        texts: list[ScoredText] = read(*rows)
    except InvalidData:
        return
    for row, text in zip(rows, texts, strict=True):
        written = join(text, DEFAULT_TEMPLATE)[0] if isinstance(text, ReportParts) else text
        assert all(str(value) in written for value in row.values())
        assert {len(row) for row in rows} == {len(row)}
