"""Rows of texts with scores, in the reports format or any other layout that `dataset.fields` describes."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from trainjobs.api.dataset import Dataset, Fields
from trainjobs.api.objective import ScoreDimension
from trainjobs.errors import InvalidData, InvalidRecipe
from trainjobs.ml.data.columns import (
    MISSING,
    Columns,
    find_columns,
    listed,
    look_up,
    own_name,
    read_text,
)
from trainjobs.ml.data.json_values import kind_of
from trainjobs.ml.data.jsonl import JsonLines, Line
from trainjobs.ml.data.text import ScoredText

_HUGE = 1e300
"""Numbers from here on are shown by their first digits."""


@dataclass(frozen=True, slots=True)
class ScoredRow:
    """One text with what its annotators gave it."""

    where: str
    """File and line."""
    text: ScoredText
    ratings: tuple[tuple[float, ...], ...]
    """For each annotator, a score for each dimension."""
    id: object = None
    """What the row calls itself."""

    @property
    def scores(self) -> tuple[float, ...]:
        """The mean over annotators, for each dimension."""
        return tuple(math.fsum(column) / len(column) for column in zip(*self.ratings, strict=True))


class ScoredRows:
    """The rows of a data file or folder, read as they are asked for.

    InvalidData names file, line and column of the first row that cannot be used. Where texts are looked for
    is decided by the first row, or by the rows that came before: a later one with other columns is refused.
    """

    def __init__(
        self,
        path: Path,
        dataset: Dataset,
        dimensions: Sequence[ScoreDimension],
        *,
        columns: Columns | None = None,
    ) -> None:
        """Read nothing yet.

        Args:
            path: a file, or a folder of them.
            dataset: how rows are laid out.
            dimensions: the scores to read.
            columns: those of rows that were read before; None takes the first row's.
        """
        if dataset.format not in ("Auto", "Scored"):
            raise InvalidRecipe(
                f"spec.dataset.format: {dataset.format} has no scores; the objective Regression reads Scored"
            )
        self._lines = JsonLines(path)
        self._dataset = dataset
        self._scores = _ScoreReader(dataset.fields, dimensions)
        self.columns = columns
        """Where texts stand; known once a row was read."""

    @property
    def hashes(self) -> dict[str, str]:
        """SHA-256 of each file; known once all rows were read."""
        return self._lines.hashes

    @property
    def passed_over(self) -> list[str]:
        """Files of the folder that are not read: hidden ones, and those that are no rows by their name."""
        return self._lines.passed_over

    def __iter__(self) -> Iterator[ScoredRow]:
        """Read from the start."""
        for line in self._lines:
            if self.columns is None:
                self.columns = find_columns(line, self._dataset.fields, self._dataset.template)
            text = read_text(line, self.columns)
            yield ScoredRow(line.where, text, self._scores.read(line), own_name(line))


class _ScoreReader:
    """Reads the scores of a row, one tuple per annotator."""

    def __init__(self, fields: Fields, dimensions: Sequence[ScoreDimension]) -> None:
        self._dimensions = dimensions
        self._column = fields.scores or "scores"
        self._paths = fields.dimensions
        unknown = set(fields.dimensions) - {d.name for d in dimensions}
        if unknown:
            raise InvalidRecipe(
                f"spec.dataset.fields.dimensions: {', '.join(sorted(unknown))} is no dimension of"
                " spec.objective.regression.dimensions"
            )

    def read(self, line: Line) -> tuple[tuple[float, ...], ...]:
        if self._paths:
            return (self._from_columns(line),)
        given = look_up(line.row, self._column)
        if given is MISSING:
            raise InvalidData(
                f"{line.where}: no column {self._column} (spec.dataset.fields.scores);"
                f" {listed(line.row, self._column)}"
            )
        if not isinstance(given, list):
            return (self._from_object(given, self._column, line.where),)
        if not given:
            raise InvalidData(f"{line.where}: {self._column} is an empty list; a row needs an annotator")
        return tuple(
            self._from_object(one, f"{self._column}[{index}]", line.where) for index, one in enumerate(given)
        )

    def _from_columns(self, line: Line) -> tuple[float, ...]:
        paths = [self._paths.get(dimension.name, dimension.name) for dimension in self._dimensions]
        return tuple(
            self._check(look_up(line.row, path), path, index, line.where, line.row)
            for index, path in enumerate(paths)
        )

    def _from_object(self, given: object, name: str, where: str) -> tuple[float, ...]:
        if not isinstance(given, dict):
            raise InvalidData(f"{where}: {name} is {kind_of(given)}; give an object of dimension and number")
        return tuple(
            self._check(given.get(d.name, MISSING), f"{name}.{d.name}", index, where, given)
            for index, d in enumerate(self._dimensions)
        )

    def _check(self, value: object, name: str, index: int, where: str, among: Mapping[str, object]) -> float:
        dimension = self._dimensions[index]
        source = f"(spec.objective.regression.dimensions[{index}])"
        if value is MISSING:
            raise InvalidData(
                f"{where}: {name} is missing {source}; {listed(among, name.rpartition('.')[2])}"
            )
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise InvalidData(f"{where}: {name} is {kind_of(value)}; give a number {source}")
        if not dimension.minimum <= value <= dimension.maximum:
            low, high = f"{dimension.minimum:g}", f"{dimension.maximum:g}"
            raise InvalidData(f"{where}: {name} is {_shown(value)}, outside {low}…{high} {source}")
        return float(value)


def _shown(value: float) -> str:
    """A number as a message shows it; of whole numbers too long for a float, the first digits."""
    return f"{value:g}" if abs(value) < _HUGE else f"{str(value)[:20]}…"
