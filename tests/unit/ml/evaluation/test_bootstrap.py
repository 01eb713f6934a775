"""Intervals: every resample's figures are exactly scipy's, and intervals cover what they should."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from trainjobs.ml.evaluation import bootstrap
from trainjobs.ml.evaluation.bootstrap import figures_with_intervals
from trainjobs.ml.evaluation.figures import FIGURES, Vector


def pair(rows: int, seed: int, noise: float = 0.5) -> tuple[Vector, Vector]:
    rng = np.random.default_rng(seed)
    # One digit: many equal scores, as annotators give them.
    true = np.round(rng.normal(3, 1, size=rows), 1)
    return true, true + rng.normal(0, noise, size=rows)


@given(st.integers(0, 10_000), st.integers(5, 60))
def test_a_resample_has_the_figures_of_the_rows_it_drew(seed: int, rows: int) -> None:
    true, predicted = pair(rows, seed)
    predicted = np.round(predicted, 1)
    drawn = np.random.default_rng(seed).integers(0, rows, size=rows)
    counts = np.bincount(drawn, minlength=rows)[None].astype(float)
    figures = dict(zip(FIGURES, bootstrap._Pair(true, predicted).figures(counts)[0], strict=True))
    pearson, spearman = figures["pearson"], figures["spearman"]
    t, p = true[drawn], predicted[drawn]
    assert figures["mse"] == pytest.approx(np.mean((t - p) ** 2))
    assert figures["mae"] == pytest.approx(np.mean(np.abs(t - p)))
    assert figures["rmse"] == pytest.approx(np.mean((t - p) ** 2) ** 0.5)
    if np.ptp(t) and np.ptp(p):
        assert pearson == pytest.approx(stats.pearsonr(t, p)[0], abs=1e-9)
        assert spearman == pytest.approx(stats.spearmanr(t, p)[0], abs=1e-9)
    else:
        assert np.isnan(pearson)
        assert np.isnan(spearman)


def test_the_pearson_interval_is_close_to_fishers() -> None:
    true, predicted = pair(1000, seed=1)
    figure = figures_with_intervals({"m": (true, predicted)}, samples=2000, confidence=0.95, seed=0)["m"][
        "pearson"
    ]
    expected = stats.pearsonr(true, predicted).confidence_interval(0.95)
    assert figure.low == pytest.approx(expected.low, abs=0.006)
    assert figure.high == pytest.approx(expected.high, abs=0.006)


def test_the_interval_of_the_mean_error_covers_the_truth_as_often_as_it_says() -> None:
    covered = 0
    for seed in range(200):
        true, predicted = pair(80, seed, noise=1.0)
        figure = figures_with_intervals({"m": (true, predicted)}, samples=200, confidence=0.9, seed=seed)[
            "m"
        ]["mse"]
        assert figure.low is not None
        assert figure.high is not None
        covered += figure.low <= 1.0 <= figure.high
    assert 160 <= covered <= 195


def test_the_same_seed_gives_the_same_intervals_and_blocks_do_not_matter(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pairs = {"model": pair(50, seed=3), "other": pair(50, seed=4)}
    whole = figures_with_intervals(pairs, samples=100, confidence=0.95, seed=7)
    assert figures_with_intervals(pairs, samples=100, confidence=0.95, seed=7) == whole
    assert figures_with_intervals(pairs, samples=100, confidence=0.95, seed=8) != whole
    alone = figures_with_intervals({"model": pairs["model"]}, samples=100, confidence=0.95, seed=7)
    assert alone["model"] == whole["model"]
    monkeypatch.setattr(bootstrap, "BLOCK", 333)
    in_blocks = figures_with_intervals(pairs, samples=100, confidence=0.95, seed=7)
    assert in_blocks["model"]["mae"].low == pytest.approx(whole["model"]["mae"].low)


def test_without_resamples_there_are_no_intervals() -> None:
    figures = figures_with_intervals({"m": pair(50, seed=3)}, samples=0, confidence=0.95, seed=0)["m"]
    assert figures["mae"].value is not None
    assert figures["mae"].low is None


def test_a_constant_baseline_has_errors_with_intervals_and_no_correlation() -> None:
    true, _ = pair(50, seed=3)
    figures = figures_with_intervals({"mean": (true, np.full(50, 3.1))}, samples=50, confidence=0.95, seed=0)[
        "mean"
    ]
    assert figures["mae"].low is not None
    assert figures["pearson"].value is None
    assert figures["pearson"].low is None
