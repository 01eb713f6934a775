"""The synthetic reports: the committed files are what the script makes, and their scores follow the text."""

import json
import math
from itertools import pairwise
from pathlib import Path
from statistics import correlation, fmean

import make_financial_reports as maker
import pytest
from financial_reports_figures import TOPICS, Draw, figures_of


@pytest.fixture(scope="module")
def samples() -> list[maker.Sample]:
    return list(maker.samples("train", maker.ROWS["train"]))


def rows(split: str) -> list[dict]:
    text = (maker.FOLDER / f"{split}.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def averaged(samples: list[maker.Sample], dimension: str) -> list[float]:
    return [fmean(scores[dimension] for scores in sample.row["scores"]) for sample in samples]


def test_the_committed_files_are_what_the_script_makes() -> None:
    for path, text in maker.files().items():
        assert path.read_bytes() == text.encode(), f"{path.name} differs: run {maker.__file__}"


def test_check_fails_when_a_file_was_edited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maker, "FOLDER", tmp_path)
    assert maker.main([]) == 0
    assert maker.main(["--check"]) == 0
    (tmp_path / "test.jsonl").write_bytes((tmp_path / "test.jsonl").read_bytes().replace(b"5.0", b"4.0", 1))
    assert maker.main(["--check"]) == 1


@pytest.mark.parametrize("split", maker.ROWS)
def test_every_row_has_the_format_of_reports(split: str) -> None:
    for row in rows(split):
        assert list(row) == ["id", "system_prompt", "input_data", "report", "scores"]
        assert all(isinstance(row[name], str) and row[name] for name in ("id", "system_prompt", "report"))
        assert len(row["input_data"]["财务数据"]) == 5
        assert 3 <= len(row["scores"]) <= 5
        for scores in row["scores"]:
            assert tuple(scores) == maker.DIMENSIONS
            assert all(0 <= score <= 5 and score * 2 == int(score * 2) for score in scores.values())


def test_no_company_and_no_report_is_in_two_splits() -> None:
    for one, other in (("train", "validation"), ("train", "test"), ("validation", "test")):
        assert not {r["input_data"]["公司"] for r in rows(one)} & {
            r["input_data"]["公司"] for r in rows(other)
        }
        assert not {r["report"] for r in rows(one)} & {r["report"] for r in rows(other)}


def test_the_example_report_carries_no_scores() -> None:
    example = json.loads((maker.FOLDER / "example_report.json").read_text(encoding="utf-8"))
    assert set(example) == {"system_prompt", "input_data", "report"}


def test_all_five_topics_are_in_every_split() -> None:
    for split in maker.ROWS:
        for topic in TOPICS:
            task = maker._PHRASES["topics"][topic]["task"]
            assert sum(task in row["system_prompt"] for row in rows(split)) == maker.ROWS[split] // len(
                TOPICS
            )


def test_the_files_stay_small() -> None:
    assert sum(len(text.encode()) for text in maker.files().values()) < 1_500_000


@pytest.mark.parametrize("dimension", maker.DIMENSIONS)
def test_scores_follow_the_planted_quality_with_noise(samples: list[maker.Sample], dimension: str) -> None:
    truth = [sample.plan.quality()[dimension] for sample in samples]
    assert 0.97 < correlation(averaged(samples, dimension), truth) < 0.999


def test_each_planted_property_moves_its_own_dimension_most(samples: list[maker.Sample]) -> None:
    planted = {
        "accuracy": [
            -len([mistake for mistake in s.plan.mistakes if mistake]) - s.plan.unsupported for s in samples
        ],
        "professionalism": [-sum(s.plan.casual) - s.plan.fillers for s in samples],
        "depth_of_analysis": [s.plan.drivers + s.plan.comparisons + s.plan.risks for s in samples],
    }
    for dimension, values in planted.items():
        table = {name: correlation(averaged(samples, name), values) for name in maker.DIMENSIONS}
        assert table[dimension] > 0.85
        assert all(table[other] < 0.6 for other in maker.DIMENSIONS if other != dimension)


@pytest.mark.parametrize("dimension", maker.DIMENSIONS)
def test_scores_use_their_range_and_are_not_constant(samples: list[maker.Sample], dimension: str) -> None:
    values = averaged(samples, dimension)
    mean = fmean(values)
    assert max(values) - min(values) > 4
    assert math.sqrt(fmean((value - mean) ** 2 for value in values)) > 1


def test_length_alone_does_not_explain_accuracy(samples: list[maker.Sample]) -> None:
    lengths = [len(str(sample.row["report"])) for sample in samples]
    assert correlation(averaged(samples, "accuracy"), lengths) < 0.5


def test_analysts_differ_from_each_other_by_less_than_reports_do(samples: list[maker.Sample]) -> None:
    gaps = [
        abs(one["accuracy"] - other["accuracy"])
        for sample in samples
        for one, other in pairwise(sample.row["scores"])
    ]
    assert 0.2 < fmean(gaps) < 0.5


def test_a_report_without_planted_mistakes_quotes_the_input_data() -> None:
    draw = Draw("a careful author")
    subject = maker.draw_subject(draw, "train", "profitability")
    report = maker.write_report(draw, subject, plan(mistakes=("",) * 5))
    for figure in subject.figures:
        assert f"{figure.now}{figure.unit}" in report


def test_a_planted_wrong_figure_is_not_in_the_input_data() -> None:
    draw = Draw("a careless author")
    subject = maker.draw_subject(draw, "train", "risk")
    report = maker.write_report(draw, subject, plan(mistakes=("", "", "figure", "", "")))
    wrong = subject.figures[2]
    assert f"{wrong.label}" in report
    assert f"{wrong.now}{wrong.unit}" not in report


def test_an_unstructured_report_has_no_headings() -> None:
    draw = Draw("an untidy author")
    subject = maker.draw_subject(draw, "train", "return")
    assert "#" not in maker.write_report(draw, subject, plan(unstructured=True))


def plan(**changes: object) -> maker.Plan:
    good = {
        "mistakes": ("",) * 5,
        "casual": (False,) * 5,
        "unsupported": 0,
        "wrong_conclusion": False,
        "unstructured": False,
        "fillers": 0,
        "background": 0,
        "drivers": 3,
        "comparisons": 3,
        "risks": 2,
        "advice": 1,
    }
    return maker.Plan(**(good | changes))


def test_a_flawless_plan_is_worth_almost_full_scores() -> None:
    assert plan().quality() == {"accuracy": 4.8, "professionalism": 4.8, "depth_of_analysis": 5.0}


@pytest.mark.parametrize("topic", TOPICS)
def test_figures_of_a_topic_agree_with_each_other(topic: str) -> None:
    for seed in range(50):
        figures = {figure.label: figure for figure in figures_of(topic, Draw(f"{topic}{seed}"))}
        assert all(figure.now != figure.prev and figure.now > 0 for figure in figures.values())
        if "净利润" in figures:
            expected = figures["营业收入"].now * figures["净利率"].now / 100
            assert figures["净利润"].now == pytest.approx(expected, abs=0.006)
        if "净资产收益率" in figures:
            parts = (figures[name].now for name in ("净利率", "总资产周转率", "权益乘数"))
            assert figures["净资产收益率"].now == pytest.approx(math.prod(parts), abs=0.006)


def test_a_draw_is_the_same_on_every_machine() -> None:
    # Drawn once, by CPython 3.11: the sequence of random.random() is promised not to change.
    draw = Draw("fixed")
    assert "".join(draw.pick("abcdef") for _ in range(8)) == "fdfeeaae"
