"""Figures against scipy's, and what does not exist is said, never NaN."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from trainjobs.ml.evaluation.figures import compute_figures

SCORES = st.lists(st.tuples(st.floats(-5, 5, width=32), st.floats(-5, 5, width=32)), min_size=3, max_size=40)


def test_figures_are_those_of_the_textbook() -> None:
    true, predicted = np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.5, 2.0, 2.0, 5.0])
    figures = {name: figure.value for name, figure in compute_figures(true, predicted).items()}
    assert figures["mse"] == pytest.approx((0.25 + 0 + 1 + 1) / 4)
    assert figures["mae"] == pytest.approx(2.5 / 4)
    assert figures["rmse"] == pytest.approx(0.75)
    assert figures["pearson"] == pytest.approx(stats.pearsonr(true, predicted)[0])
    assert figures["spearman"] == pytest.approx(stats.spearmanr(true, predicted)[0])


@given(SCORES)
def test_every_figure_is_finite_or_has_a_reason(pairs: list[tuple[float, float]]) -> None:
    true, predicted = np.array(pairs).T
    for figure in compute_figures(true, predicted).values():
        assert (figure.value is None) == (figure.reason is not None)
        assert figure.value is None or np.isfinite(figure.value)


@pytest.mark.parametrize(
    ("true", "predicted", "reason"),
    [
        ([3.0, 3.0, 3.0], [1.0, 2.0, 3.0], "the true scores are all the same"),
        ([1.0, 2.0, 3.0], [0.1, 0.1, 0.1], "the predictions are all the same"),
        ([1.0, 2.0], [1.0, 2.0], "2 rows are too few; a correlation needs at least 3"),
        ([1.0], [1.0], "1 rows are too few; a correlation needs at least 3"),
    ],
)
def test_a_correlation_that_does_not_exist_says_why(
    true: list[float], predicted: list[float], reason: str
) -> None:
    figures = compute_figures(np.array(true), np.array(predicted))
    assert figures["pearson"].value is None
    assert figures["pearson"].reason == figures["spearman"].reason == reason
    assert figures["mse"].value is not None
