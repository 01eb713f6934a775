"""Rows set aside for validation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainjobs.errors import InvalidRecipe
from trainjobs.ml.data.splits import split


@given(st.integers(4, 500), st.floats(0.01, 0.6), st.floats(0.05, 1.0), st.integers(0, 99))
def test_no_row_is_on_both_sides(rows: int, aside: float, used: float, seed: int) -> None:
    train, held_out = split(rows, eval_fraction=aside, train_fraction=used, seed=seed)
    assert held_out is not None
    assert not set(train) & set(held_out)
    assert max([*train, *held_out]) < rows


def test_a_part_of_the_rows_is_validated_on_the_same_rows() -> None:
    whole = split(1000, eval_fraction=0.1, train_fraction=1.0, seed=1)
    part = split(1000, eval_fraction=0.1, train_fraction=0.1, seed=1)
    assert np.array_equal(whole[1], part[1])  # type: ignore[arg-type]
    assert set(part[0]) < set(whole[0])
    assert (len(whole[0]), len(part[0]), len(part[1])) == (900, 90, 100)  # type: ignore[arg-type]


def test_a_fraction_that_leaves_nothing_to_train_on_is_refused() -> None:
    with pytest.raises(InvalidRecipe, match="leaves none to train on"):
        split(1, eval_fraction=0.5, train_fraction=1.0, seed=1)
