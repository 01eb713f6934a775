"""Data sets as a model reads them: every row tokenised once, held in a few flat arrays."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from trainjobs.errors import InvalidData
from trainjobs.ml.data.repeats import digest
from trainjobs.ml.data.text import Encoded

Overlong = Literal["Truncate", "Drop", "Fail"]
Indices = NDArray[np.int64]
Row = Mapping[str, NDArray[Any]]
"""Column → what one row holds there."""
EXCERPT: Final = 400
"""Characters that are kept of a row's text."""


@dataclass(frozen=True, slots=True)
class Column:
    """What rows hold under one name."""

    dtype: DTypeLike
    ragged: bool = False
    """Whether rows differ in the length of their first dimension."""
    tokens: bool = False
    """Whether it is what the model reads: rows with equal tokens are the same row to it."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a row comes from, for people to find it."""

    where: str
    """File and line."""
    id: object
    """What the row calls itself."""
    excerpt: str
    """The beginning of its text, at most EXCERPT characters."""


@dataclass(frozen=True, slots=True)
class Read:
    """One row as it was read and tokenised."""

    origin: Origin
    place: int
    """Where it stands in a split."""
    values: Mapping[str, ArrayLike] | None
    """Column → value; None where the row is left out for its length."""
    tokens: int = 0
    characters: int = 0
    """Of its text, before anything was cut."""
    cut: int = 0
    """Tokens left out of it."""


@dataclass(frozen=True, slots=True)
class Cuts:
    """What did not fit into the longest length."""

    rows_cut: int = 0
    tokens_cut: int = 0
    rows_dropped: int = 0

    def __add__(self, other: Self) -> "Cuts":
        """Both together."""
        return Cuts(
            self.rows_cut + other.rows_cut,
            self.tokens_cut + other.tokens_cut,
            self.rows_dropped + other.rows_dropped,
        )


@dataclass(frozen=True, slots=True)
class Ragged:
    """Arrays of different length, one after the other."""

    values: NDArray[Any]
    """Shape [sum of the lengths, …]."""
    starts: Indices
    """Where each begins, and where the last one ends; shape [rows + 1]."""

    @classmethod
    def of(cls, rows: Sequence[NDArray[Any]]) -> Self:
        """Put arrays one after the other; at least one."""
        starts = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
        return cls(np.concatenate(rows), starts)

    def __getitem__(self, row: int) -> NDArray[Any]:
        """Return one array; a view."""
        return self.values[self.starts[row] : self.starts[row + 1]]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of one file or folder, those left out for their length aside."""

    columns: Mapping[str, Ragged | NDArray[Any]]
    names: tuple[str, ...]
    """Columns with what the model reads."""
    tokens: NDArray[np.int64]
    """Of each row, shape [rows]."""
    characters: NDArray[np.int64]
    """Of each row's text, shape [rows]."""
    cut: NDArray[np.int64]
    """Tokens left out of each row, shape [rows]."""
    origins: tuple[Origin, ...]
    numbers: Indices
    """The place of each row among all that were read, shape [rows]; others were left out."""
    places: NDArray[np.uint64]
    """Where each row that was read stands in a split, shape [read]."""

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.numbers)

    def among(self, numbers: Indices) -> Indices:
        """Return which rows are the given ones of all that were read; those left out are not there."""
        return np.flatnonzero(np.isin(self.numbers, numbers))

    def row(self, index: int) -> dict[str, NDArray[Any]]:
        """Return one row; its arrays are views."""
        return {name: np.asarray(column[index]) for name, column in self.columns.items()}

    def digest(self, index: int) -> bytes:
        """Return a short name for what the model reads of a row."""
        return digest(*(self.columns[name][index] for name in self.names))

    def with_column(self, name: str, values: NDArray[Any]) -> Self:
        """Return the same rows with a column more, shape [rows, …]."""
        return replace(self, columns={**self.columns, name: values})


class Part:
    """Some rows of a table, in an order of their own."""

    def __init__(self, table: Table, indices: Indices, *, dropped: int = 0) -> None:
        """`dropped`: rows that would be here, had they not been left out for their length."""
        self.table = table
        self.indices = indices
        self.dropped = dropped

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.indices)

    def __getitem__(self, index: int) -> Row:
        """Return one row; its arrays are views."""
        return self.table.row(int(self.indices[index]))

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens of each row, shape [rows]."""
        return self.table.tokens[self.indices]

    @property
    def cuts(self) -> Cuts:
        """What did not fit."""
        cut = self.table.cut[self.indices]
        return Cuts(int((cut > 0).sum()), int(cut.sum()), self.dropped)

    def longest_first(self) -> "Part":
        """Return the same rows by their length, and those of one length as they stand."""
        order = np.argsort(-self.lengths, kind="stable")
        return Part(self.table, self.indices[order], dropped=self.dropped)

    def column(self, name: str) -> NDArray[Any]:
        """Return a column that is not ragged, shape [rows, …]."""
        values = self.table.columns[name]
        assert not isinstance(values, Ragged)
        return np.asarray(values[self.indices])

    def digests(self) -> list[bytes]:
        """Return the short name of every row's tokens."""
        return [self.table.digest(int(index)) for index in self.indices]

    def with_column(self, name: str, values: NDArray[Any]) -> "Part":
        """Return the same rows with a column more; `values` are those of the whole table."""
        return Part(self.table.with_column(name, values), self.indices, dropped=self.dropped)


def whole(table: Table) -> Part:
    """Return all rows of a table, in the order in which they were read."""
    return Part(table, np.arange(len(table)), dropped=len(table.places) - len(table))


def hold(rows: Iterable[Read], columns: Mapping[str, Column], limit: int) -> Table:
    """Put rows into arrays as they are read.

    Raises:
        InvalidData: no row is left; `limit` is the length in tokens that all exceed.
    """
    kept: list[Read] = []
    held: dict[str, list[NDArray[Any]]] = {name: [] for name in columns}
    numbers: list[int] = []
    places: list[int] = []
    for number, row in enumerate(rows):
        places.append(row.place)
        if row.values is None:
            continue
        numbers.append(number)
        kept.append(replace(row, values={}))
        for name, column in columns.items():
            held[name].append(np.asarray(row.values[name], dtype=column.dtype))
    if not kept:
        raise InvalidData(
            f"all {len(places)} rows are longer than spec.dataset.maxLength, {limit} tokens; raise it"
        )
    return Table(
        {n: Ragged.of(held[n]) if column.ragged else np.stack(held[n]) for n, column in columns.items()},
        names=tuple(name for name, column in columns.items() if column.tokens),
        tokens=np.array([row.tokens for row in kept], dtype=np.int64),
        characters=np.array([row.characters for row in kept], dtype=np.int64),
        cut=np.array([row.cut for row in kept], dtype=np.int64),
        origins=tuple(row.origin for row in kept),
        numbers=np.array(numbers, dtype=np.int64),
        places=np.array(places, dtype=np.uint64),
    )


def is_dropped(where: str, encoded: Encoded, overlong: Overlong, limit: int) -> bool:
    """Whether a row is left out for the length of a text.

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
    raise InvalidData(f"{where}: {encoded.excess(limit)}; {advice}")
