"""The order in which an epoch visits the rows.

It follows from seed and epoch alone, so that a resumed run visits the rows as an uninterrupted one.
"""

import numpy as np
from numpy.typing import NDArray

Order = NDArray[np.int64]
_POOL = 50
"""Batches that are sorted together when grouping by length: more means less padding and less chance."""


def shuffled(rows: int, *, seed: int, epoch: int) -> Order:
    """Return a permutation of `rows` indices."""
    return _generator(seed, epoch).permutation(rows)


def grouped_by_length(lengths: NDArray[np.int64], batch: int, *, seed: int, epoch: int) -> Order:
    """Return a permutation whose consecutive batches hold rows of similar length.

    Rows are shuffled, sorted by length within pools of some batches, and the batches shuffled
    again: unlike the library's own grouping, lengths do not fall within a pool, and an incomplete
    batch is the last. The batch with the longest row comes first, so that memory runs out at
    the start or not at all.

    Args:
        lengths: tokens of each row, shape [rows].
        batch: rows per optimiser step over all processes.
        seed: the run's seed.
        epoch: from 0.
    """
    random = _generator(seed, epoch)
    order = random.permutation(len(lengths))
    pool = batch * max(1, min(_POOL, len(lengths) // (batch * 4)))
    for start in range(0, len(order), pool):
        part = order[start : start + pool]
        order[start : start + pool] = part[np.argsort(-lengths[part], kind="stable")]
    whole = len(order) // batch
    batches = order[: whole * batch].reshape(whole, batch)
    batches = batches[random.permutation(whole)]
    if whole:
        longest = int(np.argmax(lengths[batches].max(axis=1)))
        batches[[0, longest]] = batches[[longest, 0]]
    return np.concatenate([batches.reshape(-1), order[whole * batch :]])


def _generator(seed: int, epoch: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64([seed, epoch]))
