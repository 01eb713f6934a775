"""Which rows each process takes at once: every row of an epoch by one process, none twice, none lost."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from trainjobs.ml.data.order import Order


@dataclass(frozen=True, slots=True)
class Share:
    """What one process takes at once."""

    rows: Order
    """Indices of rows, shape [batch] or less."""
    stands_in: bool = False
    """The process has no row of its own: another's keeps it in step with the others, and counts nothing."""


def deal(order: Order, *, batch: int, processes: int, rank: int) -> Iterator[Share]:
    """Yield the shares of one process, as many as every other process gets.

    Rows are dealt out in their order, `batch` to each process and then the next ones. What is left
    at the end is divided evenly, so that the rows of an optimiser step are the same whatever the
    number of processes.

    Args:
        order: indices of rows in the order of an epoch, shape [rows].
        batch: rows that a process takes at once.
        processes: how many share the rows.
        rank: which of them, from 0.
    """
    for start in range(0, len(order), batch * processes):
        dealt = order[start : start + batch * processes]
        own = np.array_split(dealt, processes)[rank]
        yield Share(own) if len(own) else Share(dealt[-1:], stands_in=True)


def shares_in(rows: int, *, batch: int, processes: int) -> int:
    """Return how many shares `deal` yields each process for so many rows."""
    return -(-rows // (batch * processes))
