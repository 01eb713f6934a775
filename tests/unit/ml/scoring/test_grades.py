"""Grades: the documented bands, and float32's 4.5 of 5."""

import numpy as np
import pytest

from trainjobs.ml.scoring.grades import grade


@pytest.mark.parametrize(
    ("score", "letter"),
    [
        (5.0, "A"),
        (4.5, "A"),
        (4.49, "B"),
        (4.0, "B"),
        (3.99, "C"),
        (3.5, "C"),
        (3.0, "D"),
        (2.99, "E"),
        (0.0, "E"),
    ],
)
def test_bands_on_a_scale_from_0_to_5(score: float, letter: str) -> None:
    assert grade(score / 5) == letter


def test_a_score_that_rounding_put_below_its_band_keeps_its_grade() -> None:
    assert grade(float(np.float32(0.9) - np.float32(1e-7))) == "A"
