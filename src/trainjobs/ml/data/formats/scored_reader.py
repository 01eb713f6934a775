"""Texts with scores as a model reads them; apart from their layout, which is read without numpy, too."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from trainjobs.api.dataset import Dataset
from trainjobs.api.objective import ScoreDimension
from trainjobs.ml.data.columns import Columns
from trainjobs.ml.data.formats.scored import ScoredRow, ScoredRows
from trainjobs.ml.data.splits import place
from trainjobs.ml.data.tables import EXCERPT, Column, Origin, Read, is_dropped
from trainjobs.ml.data.text import TextEncoder, characters


class ScoredReader:
    """Rows of texts with scores, tokenised; those of later files have the columns of the first."""

    columns: Final = {
        "input_ids": Column(np.int32, ragged=True, tokens=True),
        "scores": Column(np.float64),
        "ratings": Column(np.float64, ragged=True),
    }
    """`scores`: the mean of the annotators, shape [dimensions]; `ratings`: [annotators, dimensions]."""

    def __init__(
        self,
        dataset: Dataset,
        dimensions: Sequence[ScoreDimension],
        encoder: TextEncoder,
        *,
        seed: int,
        texts: Columns | None = None,
    ) -> None:
        """Read nothing yet.

        Args:
            dataset: how rows are laid out, and what happens to those that are too long.
            dimensions: the scores to read.
            encoder: of the model's tokenizer.
            seed: of the rows' places in a split.
            texts: where texts stand; None takes what the first row shows.
        """
        self._dataset = dataset
        self._dimensions = dimensions
        self._encoder = encoder
        self._seed = seed
        self.texts = texts
        """Where texts stand; known once a row was read."""

    @property
    def max_length(self) -> int:
        """Longest text in tokens, special ones included."""
        return self._encoder.max_length

    def open(self, path: Path) -> "ScoredSource":
        """Return the rows of a file or folder."""
        return ScoredSource(self, ScoredRows(path, self._dataset, self._dimensions, columns=self.texts))

    def read(self, rows: Iterable[ScoredRow]) -> Iterator[Read]:
        """Tokenise rows as they are read.

        InvalidData names the row that is too long where `overlong` is Fail, or whose report alone
        does not fit, unless it is Drop.
        """
        for row, encoded in self._encoder.encode_each(rows, lambda row: row.text):
            where = place(row.text, self._seed)
            excerpt = (row.text if isinstance(row.text, str) else row.text.report)[:EXCERPT]
            origin = Origin(row.where, row.id, excerpt)
            if is_dropped(row.where, encoded, self._dataset.overlong, self.max_length):
                yield Read(origin, where, None)
                continue
            yield Read(
                origin,
                where,
                {"input_ids": encoded.input_ids, "scores": row.scores, "ratings": row.ratings},
                tokens=len(encoded.input_ids),
                characters=characters(row.text, self._encoder.template),
                cut=encoded.cut,
            )


@dataclass(frozen=True, slots=True)
class ScoredSource:
    """The rows of one file or folder."""

    reader: ScoredReader
    rows: ScoredRows

    @property
    def hashes(self) -> dict[str, str]:
        """SHA-256 of each file; known once all rows were read."""
        return self.rows.hashes

    @property
    def passed_over(self) -> list[str]:
        """Files of the folder that are not read."""
        return self.rows.passed_over

    def __iter__(self) -> Iterator[Read]:
        """Read from the start."""
        for row in self.reader.read(self.rows):
            self.reader.texts = self.rows.columns
            yield row
