"""Scores become what a head learns, and come back as they were."""

import numpy as np
import pytest

from trainjobs.api.objective import Regression, ScoreDimension
from trainjobs.ml.modeling.normalization import fit_normalization, to_outputs, to_scores

DIMENSIONS = [ScoreDimension(name="accuracy", minimum=-4, maximum=4), ScoreDimension(name="same")]
SCORES = np.array([[-4.0, 3.0], [0.0, 3.0], [4.0, 3.0]])
DEVIATION = (32 / 3) ** 0.5


@pytest.mark.parametrize(
    ("kind", "outputs"),
    [
        ("None", [[-4, 3], [0, 3], [4, 3]]),
        ("Range", [[0, 0.6], [0.5, 0.6], [1, 0.6]]),
        # The second dimension's scores are all equal: there is nothing to scale.
        ("Standard", [[-4 / DEVIATION, 0], [0, 0], [4 / DEVIATION, 0]]),
    ],
)
def test_a_head_learns_scores_in_the_scale_that_was_asked_for(kind: str, outputs: list[list[float]]) -> None:
    regression = Regression.model_validate({"dimensions": DIMENSIONS, "normalization": kind})
    found = fit_normalization(regression, SCORES)
    assert to_outputs(SCORES, found) == pytest.approx(np.array(outputs))
    assert to_scores(np.array(outputs), found) == pytest.approx(SCORES)
