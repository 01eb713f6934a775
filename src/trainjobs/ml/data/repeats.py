"""Texts that stand on both sides of a split: a model is then judged on what it has learned by heart."""

import hashlib
from collections.abc import Collection, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

Tokens = NDArray[np.int32] | Sequence[int]


def digest(tokens: Tokens) -> bytes:
    """A short name for a text as the model reads it: two that differ only in what was cut have the same."""
    return hashlib.blake2b(np.asarray(tokens, dtype=np.int32).tobytes(), digest_size=16).digest()


def repeats(rows: Iterable[Tokens], learned: Collection[bytes]) -> int:
    """Count the rows that are among those learned from, given by their digests."""
    return sum(digest(tokens) in learned for tokens in rows)
