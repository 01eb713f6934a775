"""Baselines, raters, the overall score, thresholds and the files they are written to."""

import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainjobs.api.evaluation import Evaluation, Threshold
from trainjobs.api.objective import ScoreDimension
from trainjobs.errors import InvalidData
from trainjobs.ml.evaluation.baselines import fit
from trainjobs.ml.evaluation.families.scores.evaluation import Judged, evaluate
from trainjobs.ml.evaluation.overall import OverallScale
from trainjobs.ml.evaluation.raters import agreement
from trainjobs.ml.evaluation.results import EvaluatedData, EvaluationResult, read_result, write_result
from trainjobs.ml.evaluation.thresholds import apart, judge, missed, outcome

DATA = EvaluatedData(
    split="test", path="file:///t.jsonl", files={}, rows=200, truncated=0, truncated_tokens=0, dropped=0
)
DATA_OF_TESTS = Path(__file__).parents[3] / "data"
ONE = [ScoreDimension(name="sentiment", minimum=-4, maximum=4)]


def run(judged: Judged, dimensions: list[ScoreDimension] = ONE, **settings: object) -> EvaluationResult:
    names = [dimension.name for dimension in dimensions]
    return evaluate(
        judged,
        dimensions,
        settings=Evaluation.model_validate({"bootstrap_samples": 20, **settings}),
        seed=0,
        data=DATA,
        model="file:///m",
        baselines=fit(names, judged.true, judged.lengths),
        now=datetime(2026, 1, 1, tzinfo=UTC),
    )


def rows(count: int = 200, seed: int = 0) -> Judged:
    rng = np.random.default_rng(seed)
    true = np.clip(rng.normal(0, 1.5, size=(count, 1)), -4, 4)
    return Judged(
        true=true,
        predicted=true + rng.normal(0, 0.5, size=(count, 1)),
        ratings=[value + rng.normal(0, 0.5, size=(5, 1)) for value in true],
        lengths=100 + 20 * true[:, 0] + rng.normal(0, 20, size=count),
    )


def test_one_shared_range_keeps_its_scale_and_others_meet_between_0_and_1() -> None:
    same = OverallScale.of([ScoreDimension(name="a", weight=3), ScoreDimension(name="b")])
    assert (same.minimum, same.maximum) == (0, 5)
    assert same.overall(np.array([[4.0, 2.0]])) == pytest.approx([3.5])
    assert same.normalized(np.array([[4.0, 2.0]])) == pytest.approx([0.7])
    different = OverallScale.of([ScoreDimension(name="a"), ScoreDimension(name="b", minimum=0, maximum=100)])
    assert (different.minimum, different.maximum) == (0, 1)
    assert different.overall(np.array([[5.0, 50.0]])) == pytest.approx([0.75])


def test_the_length_baseline_is_the_least_squares_line_of_the_training_rows() -> None:
    lengths, true = np.array([10.0, 20.0, 30.0, 50.0]), np.array([[1.0], [2.0], [2.0], [4.0]])
    line = fit(["a"], true, lengths).dimensions["a"]
    slope, intercept = np.polyfit(lengths, true[:, 0], 1)
    assert (line.slope, line.intercept, line.mean) == pytest.approx((slope, intercept, 2.25))


def test_texts_of_one_length_make_the_length_baseline_the_mean() -> None:
    line = fit(["a"], np.array([[1.0], [3.0]]), np.array([7.0, 7.0])).dimensions["a"]
    assert (line.slope, line.intercept) == (0.0, 2.0)


def test_the_baselines_are_those_of_the_training_rows_not_of_the_judged_ones() -> None:
    judged = rows()
    shifted = fit(["sentiment"], judged.true + 1.0, judged.lengths)
    result = evaluate(
        judged,
        ONE,
        settings=Evaluation(bootstrap_samples=0),
        seed=0,
        data=DATA,
        model="m",
        baselines=shifted,
        now=datetime(2026, 1, 1, tzinfo=UTC),
    )
    mse = result.groups[0].compared["mean"]["mse"].value
    assert mse == pytest.approx(float(np.var(judged.true)) + 1.0)


def test_the_annotators_reliability_and_ceiling_are_recovered() -> None:
    """Five annotators with noise 0.5 on scores with deviation 1.5: reliability 2.25 / (2.25 + 0.05)."""
    rng = np.random.default_rng(0)
    true = rng.normal(0, 1.5, size=4000)
    found = agreement([value + rng.normal(0, 0.5, size=5) for value in true])
    assert found is not None
    assert found.reliability == pytest.approx(2.25 / 2.30, abs=0.003)
    assert found.ceiling == pytest.approx((2.25 / 2.30) ** 0.5, abs=0.002)
    noisy_means = true + rng.normal(0, 0.5 / 5**0.5, size=len(true))
    assert found.ceiling == pytest.approx(np.corrcoef(true, noisy_means)[0, 1], abs=0.003)


def test_one_annotator_is_held_against_the_mean_of_the_others() -> None:
    found = agreement([np.array([1.0, 3.0]), np.array([2.0, 2.0, 5.0]), np.array([4.0])])
    assert found is not None
    assert found.rows == 2
    assert found.ratings_per_row == 2.5
    # |1-3|, |3-1|, |2-3.5|, |2-3.5|, |5-2|
    assert found.figures["mae"].value == pytest.approx((2 + 2 + 1.5 + 1.5 + 3) / 5)
    assert found.reliability is None
    assert found.reason == "only 2 rows have several annotators"


def test_single_annotators_have_no_agreement() -> None:
    assert agreement([np.array([1.0]), np.array([2.0])]) is None


def test_annotators_who_all_say_the_same_of_every_row_have_no_reliability() -> None:
    found = agreement([np.array([2.0, 2.0])] * 4)
    assert found is not None
    assert found.reliability is None


def test_every_figure_has_its_name_and_one_dimension_is_the_overall_score() -> None:
    result = run(rows())
    assert set(result.metrics) == {
        f"{who}.{name}"
        for who in ("overall", "sentiment")
        for name in ("mse", "mae", "rmse", "pearson", "spearman")
    }
    assert result.metrics["overall.pearson"] == pytest.approx(result.metrics["sentiment.pearson"])
    assert [one.name for one in result.groups] == ["sentiment"]
    assert result.details.dimensions[0].raters is not None
    assert set(result.groups[0].compared) == {"mean", "length", "annotator"}


def test_a_missed_threshold_is_named_with_its_figure() -> None:
    asked = [
        Threshold(metric="overall.pearson", minimum=0.99),
        Threshold(metric="sentiment.mae", maximum=0.1),
        Threshold(metric="overall.mse", maximum=10.0),
        Threshold(metric="quality.mae", maximum=1.0),
    ]
    judged = judge(asked, {"overall.pearson": 0.8, "sentiment.mae": 0.4, "overall.mse": 0.2})
    assert [one.passed for one in judged] == [False, False, True, False]
    message = missed(judged, ["overall.pearson"])
    assert message is not None
    assert "overall.pearson is 0.8, 0.19 below the minimum 0.99" in message
    assert "sentiment.mae is 0.4, 0.3 above the maximum 0.1" in message
    assert "quality.mae does not exist" in message
    assert missed(judged[2:3], []) is None
    assert [outcome(one) for one in judged] == ["missed by 0.19", "missed by 0.3", "passed", "missed"]


@given(value=st.floats(-1, 1), minimum=st.floats(-1, 1), nearness=st.integers(0, 12))
def test_what_is_said_of_a_threshold_is_never_the_opposite_of_what_was_judged(
    value: float, minimum: float, nearness: int
) -> None:
    value = minimum + (value - minimum) * 10.0**-nearness
    [result] = judge([Threshold(metric="overall.pearson", minimum=minimum)], {"overall.pearson": value})
    message = missed([result], [])
    assert (message is None) == result.passed == (value >= minimum)
    shown = apart(value, minimum)
    assert (float(shown) < minimum) == (value < minimum)
    if message is not None:
        assert f"overall.pearson is {shown}, " in message


def test_constant_scores_are_null_with_a_reason_in_the_file(tmp_path: Path) -> None:
    judged = rows(30)
    constant = Judged(np.full((30, 1), 2.0), judged.predicted, [np.full((3, 1), 2.0)] * 30, judged.lengths)
    write_result(tmp_path / "evaluation.json", run(constant))
    text = (tmp_path / "evaluation.json").read_text()
    assert "NaN" not in text
    figure = json.loads(text)["groups"][0]["figures"]["pearson"]
    assert figure["value"] is None
    assert figure["reason"] == "the true scores are all the same"


def test_an_evaluation_reads_back_as_it_was_written(tmp_path: Path) -> None:
    result = run(rows(), thresholds=[{"metric": "overall.pearson", "minimum": 0.5}])
    write_result(tmp_path / "evaluation.json", result)
    assert read_result(tmp_path / "evaluation.json") == result


def test_what_the_first_version_wrote_is_read_as_what_this_one_would_have_written() -> None:
    path = DATA_OF_TESTS / "evaluations" / "version-1.json"
    result, before = read_result(path), json.loads(path.read_text())
    assert [group.name for group in result.groups] == ["overall", "accuracy", "depth"]
    assert (result.version, result.task, result.metrics) == (2, "Regression", before["metrics"])
    accuracy, compared = before["dimensions"][0], result.group("accuracy").compared
    assert compared["annotator"]["mae"].value == accuracy["raters"]["figures"]["mae"]["value"]
    assert compared["length"]["mae"].value == accuracy["baselines"]["length"]["mae"]["value"]
    assert result.details.dimensions[0].weight == 2.0
    assert result.interval.samples == 20


@pytest.mark.parametrize(
    ("text", "words"),
    [(None, "not found"), ("{}", "not an evaluation of version 2"), ("[", "not an evaluation")],
)
def test_what_is_no_evaluation_is_refused_by_its_path(tmp_path: Path, text: str | None, words: str) -> None:
    path = tmp_path / "evaluation.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(InvalidData, match=words) as caught:
        read_result(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
