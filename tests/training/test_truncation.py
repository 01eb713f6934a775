"""What is longer than allowed is cut where nothing is lost that counts, and counted."""

from pathlib import Path

import pytest

from trainjobs.api.dataset import Dataset
from trainjobs.api.objective import ScoreDimension
from trainjobs.errors import InvalidData
from trainjobs.ml.data.formats.scored import ScoredRow
from trainjobs.ml.data.formats.scored_reader import ScoredReader
from trainjobs.ml.data.tables import Overlong, Part, hold, whole
from trainjobs.ml.data.text import ReportParts, TextEncoder
from trainjobs.ml.modeling.tokenizer import load_tokenizer

TEMPLATE = "{system_prompt} x {input_data} y {report}"
PARTS = ReportParts(report="film plot", system_prompt="the", input_data="good bad fine poor dull very story")


def words(bert: Path, encoder: TextEncoder, text: ReportParts | str) -> str:
    [encoded] = encoder.encode([text])
    return load_tokenizer(bert).decode(encoded.input_ids)


@pytest.mark.parametrize(
    ("length", "expected"),
    [
        (14, "[CLS] the x good bad fine poor dull very story y film plot [SEP]"),
        (11, "[CLS] the x good bad very story y film plot [SEP]"),
        (7, "[CLS] the x y film plot [SEP]"),
        (6, "[CLS] x y film plot [SEP]"),
    ],
)
def test_the_middle_of_the_data_is_cut_then_the_prompt_and_never_the_report(
    bert: Path, length: int, expected: str
) -> None:
    assert words(bert, TextEncoder(load_tokenizer(bert), TEMPLATE, length), PARTS) == expected


def test_a_text_on_its_own_is_cut_at_its_end(bert: Path) -> None:
    encoder = TextEncoder(load_tokenizer(bert), None, 4)
    assert words(bert, encoder, "good bad fine poor") == "[CLS] good bad [SEP]"


def rows(*texts: ReportParts | str) -> list[ScoredRow]:
    return [ScoredRow(f"a.jsonl line {i}", text, ((1.0,),)) for i, text in enumerate(texts, start=1)]


def held(rows: list[ScoredRow], encoder: TextEncoder, overlong: Overlong) -> Part:
    dataset = Dataset(train="file:///rows.jsonl", overlong=overlong)
    reader = ScoredReader(dataset, [ScoreDimension(name="accuracy")], encoder, seed=1)
    return whole(hold(reader.read(rows), reader.columns, reader.max_length))


def test_cuts_are_counted(bert: Path) -> None:
    encoder = TextEncoder(load_tokenizer(bert), TEMPLATE, 11)
    encoded = held(rows(PARTS, "good", PARTS), encoder, "Truncate")
    assert (encoded.cuts.rows_cut, encoded.cuts.tokens_cut, encoded.cuts.rows_dropped) == (2, 6, 0)
    assert encoded.lengths.tolist() == [11, 3, 11]


def test_long_rows_are_left_out_or_refused_as_asked(bert: Path) -> None:
    encoder = TextEncoder(load_tokenizer(bert), TEMPLATE, 11)
    encoded = held(rows("good", PARTS, "bad"), encoder, "Drop")
    assert encoded.table.numbers.tolist() == [0, 2]
    assert encoded.cuts.rows_dropped == 1
    with pytest.raises(InvalidData, match=r"a\.jsonl line 2: 14 tokens, more than maxLength 11; raise"):
        held(rows("good", PARTS), encoder, "Fail")


def test_a_row_too_large_to_be_tokenised_is_named_or_left_out(bert: Path) -> None:
    encoder = TextEncoder(load_tokenizer(bert), None, 11)
    huge = rows("good", "good " * 1_000_000, ReportParts(report="good", input_data=["x" * 5_000_000]))
    words = r"^a\.jsonl line 2: 5,000,000 characters, more than the 4,194,304 .*; shorten it, or set"
    with pytest.raises(InvalidData, match=words):
        held(huge, encoder, "Truncate")
    assert held(huge, encoder, "Drop").table.numbers.tolist() == [0]


def test_a_report_that_alone_does_not_fit_is_refused(bert: Path) -> None:
    encoder = TextEncoder(load_tokenizer(bert), TEMPLATE, 5)
    with pytest.raises(
        InvalidData, match=r"line 1: the report and .* are 6 tokens, more than maxLength 5, and never cut"
    ):
        held(rows(PARTS), encoder, "Truncate")
