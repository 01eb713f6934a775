"""The order in which an epoch visits the rows."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainjobs.ml.data.order import grouped_by_length, shuffled


@given(st.lists(st.integers(1, 500), min_size=1, max_size=300), st.integers(1, 40), st.integers(0, 9))
def test_every_row_is_visited_once(lengths: list[int], batch: int, epoch: int) -> None:
    order = grouped_by_length(np.array(lengths), batch, seed=1, epoch=epoch)
    assert sorted(order) == list(range(len(lengths)))


def test_grouping_saves_most_of_the_padding() -> None:
    lengths = np.random.default_rng(0).integers(5, 100, size=4000)

    def padded(order: np.ndarray) -> int:
        return sum(int(lengths[order[i : i + 32]].max()) * 32 for i in range(0, 4000, 32))

    grouped = padded(grouped_by_length(lengths, 32, seed=1, epoch=0)) / lengths.sum()
    assert grouped < 1.05 < 1.7 < padded(shuffled(4000, seed=1, epoch=0)) / lengths.sum()


def test_the_longest_row_is_in_the_first_batch() -> None:
    lengths = np.random.default_rng(0).integers(5, 100, size=200)
    lengths[77] = 1000
    assert 77 in grouped_by_length(lengths, 8, seed=3, epoch=1)[:8]


@pytest.mark.parametrize("epoch", [0, 1])
def test_the_order_follows_from_seed_and_epoch(epoch: int) -> None:
    lengths = np.arange(100)
    first = grouped_by_length(lengths, 8, seed=5, epoch=epoch)
    assert (first == grouped_by_length(lengths, 8, seed=5, epoch=epoch)).all()
    assert (first != grouped_by_length(lengths, 8, seed=5, epoch=epoch + 1)).any()
    assert (first != grouped_by_length(lengths, 8, seed=6, epoch=epoch)).any()
