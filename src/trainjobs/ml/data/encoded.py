"""Data sets as a model reads them: every row tokenised once, held in a few flat arrays."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from trainjobs.errors import InvalidData
from trainjobs.ml.data.scored import ScoredRow
from trainjobs.ml.data.splits import place
from trainjobs.ml.data.text import Encoded, TextEncoder

Overlong = Literal["Truncate", "Drop", "Fail"]


@dataclass(frozen=True, slots=True)
class Cuts:
    """What did not fit into the longest length."""

    rows_cut: int = 0
    tokens_cut: int = 0
    rows_dropped: int = 0


@dataclass(frozen=True, slots=True)
class EncodedRows:
    """Tokenised rows with their scores."""

    tokens: NDArray[np.int32]
    """All rows' token ids, one after the other, shape [tokens]."""
    starts: NDArray[np.int64]
    """Where each row begins, and where the last one ends, shape [rows + 1]."""
    scores: NDArray[np.float64]
    """Mean scores in the scale of the rows, shape [rows, dimensions]."""
    ratings: tuple[NDArray[np.float32], ...]
    """For each row its annotators' scores, shape [annotators, dimensions]; empty where no row has several."""
    numbers: NDArray[np.int64]
    """The place of each row among all that were read, shape [rows]; others were dropped."""
    places: NDArray[np.uint64]
    """Where each row that was read stands in a split, dropped ones included; shape [read]."""
    cuts: Cuts

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.scores)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens of each row, shape [rows]."""
        return np.diff(self.starts)

    def among(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return which of these rows are the given ones of all that were read; dropped ones are left out."""
        return np.flatnonzero(np.isin(self.numbers, numbers))

    def ids(self, row: int) -> NDArray[np.int32]:
        """Token ids of one row, shape [its length]; a view."""
        return self.tokens[self.starts[row] : self.starts[row + 1]]


def encode_rows(
    rows: Iterable[ScoredRow], encoder: TextEncoder, overlong: Overlong, *, seed: int
) -> EncodedRows:
    """Tokenise rows as they are read; texts are not kept. `seed`: that of their places in a split.

    InvalidData names the row that is too long where `overlong` is Fail, or whose report alone
    does not fit, unless it is Drop; and when no row is left.
    """
    tokens: list[NDArray[np.int32]] = []
    scores: list[tuple[float, ...]] = []
    ratings: list[NDArray[np.float32]] = []
    numbers: list[int] = []
    cut: list[int] = []
    places: list[int] = []
    for number, (row, encoded) in enumerate(encoder.encode_each(rows, lambda row: row.text)):
        places.append(place(row.text, seed))
        if is_dropped(row, encoded, overlong, encoder.max_length):
            continue
        if encoded.cut:
            cut.append(encoded.cut)
        numbers.append(number)
        tokens.append(np.array(encoded.input_ids, dtype=np.int32))
        scores.append(row.scores)
        ratings.append(np.array(row.ratings, dtype=np.float32))
    if not scores:
        raise InvalidData(
            f"all {len(places)} rows are longer than spec.dataset.maxLength, {encoder.max_length} tokens;"
            " raise it"
        )
    several = any(len(row) > 1 for row in ratings)
    return EncodedRows(
        np.concatenate(tokens),
        np.concatenate([[0], np.cumsum([len(row) for row in tokens])]).astype(np.int64),
        np.array(scores, dtype=np.float64),
        tuple(ratings) if several else (),
        np.array(numbers, dtype=np.int64),
        np.array(places, dtype=np.uint64),
        Cuts(len(cut), sum(cut), len(places) - len(numbers)),
    )


def is_dropped(row: ScoredRow, encoded: Encoded, overlong: Overlong, limit: int) -> bool:
    """Whether a row is left out for its length.

    Raises:
        InvalidData: it is too long and may be neither left out nor cut; names it and both lengths.
    """
    if encoded.fits and not encoded.cut:
        return False
    if overlong == "Drop":
        return True
    if encoded.characters:
        advice = "shorten it, or set spec.dataset.overlong to Drop"
    elif overlong == "Fail":
        advice = "raise spec.dataset.maxLength, or set spec.dataset.overlong"
    elif not encoded.fits:
        advice = "raise spec.dataset.maxLength, or set spec.dataset.overlong to Drop"
    else:
        return False
    raise InvalidData(f"{row.where}: {encoded.excess(limit)}; {advice}")
