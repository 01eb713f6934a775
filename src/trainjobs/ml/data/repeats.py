"""Rows that stand on both sides of a split: a model is then judged on what it has learned by heart."""

import hashlib
from collections.abc import Collection, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray


def digest(*read: NDArray[Any]) -> bytes:
    """A short name for what a model reads of a row: rows that differ only in what was cut have the same."""
    name = hashlib.blake2b(digest_size=16)
    for values in read:
        name.update(len(values).to_bytes(8, "little"))
        name.update(np.ascontiguousarray(values).tobytes())
    return name.digest()


def repeats(rows: Iterable[bytes], learned: Collection[bytes]) -> int:
    """Count the rows that are among those learned from, both given by their digests."""
    return sum(row in learned for row in rows)
