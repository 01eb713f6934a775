"""Rows dealt out to processes."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from trainjobs.ml.data.shares import Share, deal, shares_in


@given(st.integers(1, 200), st.integers(1, 16), st.integers(1, 5))
def test_every_row_is_taken_once_and_all_processes_take_as_often(
    rows: int, batch: int, processes: int
) -> None:
    order = np.random.Generator(np.random.PCG64(rows)).permutation(rows)
    dealt = [list(deal(order, batch=batch, processes=processes, rank=rank)) for rank in range(processes)]
    assert {len(shares) for shares in dealt} == {shares_in(rows, batch=batch, processes=processes)}
    taken = [row for shares in dealt for share in shares if not share.stands_in for row in share.rows]
    assert sorted(taken) == list(range(rows))
    assert all(1 <= len(share.rows) <= batch for shares in dealt for share in shares)


@given(st.integers(1, 100), st.sampled_from([(12, 1, 1), (4, 3, 1), (6, 1, 2), (2, 2, 3), (1, 3, 4)]))
def test_a_step_has_the_same_rows_however_it_is_divided(rows: int, division: tuple[int, int, int]) -> None:
    batch, accumulated, processes = division
    order = np.arange(rows)[::-1].copy()
    steps: dict[int, set[int]] = {}
    for rank in range(processes):
        for index, share in enumerate(deal(order, batch=batch, processes=processes, rank=rank)):
            step = steps.setdefault(index // accumulated, set())
            step.update(() if share.stands_in else share.rows)
    assert list(steps.values()) == [set(order[start : start + 12]) for start in range(0, rows, 12)]


def test_a_process_without_a_row_stands_in_with_another_s() -> None:
    first, second = (list(deal(np.array([7]), batch=4, processes=2, rank=rank)) for rank in (0, 1))
    assert shown(first) == [([7], False)]
    assert shown(second) == [([7], True)]


def shown(shares: list[Share]) -> list[tuple[list[int], bool]]:
    return [(share.rows.tolist(), share.stands_in) for share in shares]
