"""Rows of texts with scores, in the reports format or any other layout that `dataset.fields` describes."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from trainjobs.api.dataset import Dataset, Fields
from trainjobs.api.objective import ScoreDimension
from trainjobs.errors import InvalidData, InvalidRecipe
from trainjobs.ml.data.jsonl import JsonLines, Line, kind_of
from trainjobs.ml.data.text import ReportParts, ScoredText

PARTS = ("system_prompt", "input_data", "report")
_MISSING = object()
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

    @property
    def scores(self) -> tuple[float, ...]:
        """The mean over annotators, for each dimension."""
        return tuple(math.fsum(column) / len(column) for column in zip(*self.ratings, strict=True))


@dataclass(frozen=True, slots=True)
class Columns:
    """Where a file's rows hold their texts; a path is a column, or names joined by dots."""

    layout: Literal["Parts", "Text"]
    paths: dict[str, str]
    """`text`, or those of `system_prompt`, `input_data` and `report` that the rows have."""


class ScoredRows:
    """The rows of a data file or folder, read as they are asked for.

    InvalidData names file, line and column of the first row that cannot be used. What the first
    row holds decides where texts are looked for; a later row without them is refused.
    """

    def __init__(
        self, path: Path, dataset: Dataset, dimensions: Sequence[ScoreDimension], *, first: int | None = None
    ) -> None:
        """`first`: how many rows of each file are read; None reads all."""
        if dataset.format not in ("Auto", "Scored"):
            raise InvalidRecipe(
                f"spec.dataset.format: {dataset.format} has no scores; the objective Regression reads Scored"
            )
        self._lines = JsonLines(path, first)
        self._fields = dataset.fields
        self._scores = _ScoreReader(dataset.fields, dimensions)
        self._columns: Columns | None = None

    @property
    def columns(self) -> Columns:
        """Where texts were found; known once a row was read."""
        assert self._columns is not None
        return self._columns

    @property
    def hashes(self) -> dict[str, str]:
        """SHA-256 of each file; known once all rows were read."""
        return self._lines.hashes

    def __iter__(self) -> Iterator[ScoredRow]:
        """Read from the start."""
        for line in self._lines:
            if self._columns is None:
                self._columns = find_columns(line, self._fields)
            yield ScoredRow(line.where, read_text(line, self._columns), self._scores.read(line))


def find_columns(line: Line, fields: Fields) -> Columns:
    """Decide by the mapping and the first row where texts stand."""
    if fields.text is not None:
        return Columns("Text", {"text": fields.text})
    named = {part: getattr(fields, part) for part in PARTS if getattr(fields, part) is not None}
    report = named.get("report", "report")
    if named or _look_up(line.row, report) is not _MISSING:
        paths = {part: named.get(part, part) for part in PARTS}
        present = {
            part: path
            for part, path in paths.items()
            if part in named or part == "report" or _look_up(line.row, path) is not _MISSING
        }
        return Columns("Parts", present)
    if "text" in line.row:
        return Columns("Text", {"text": "text"})
    raise InvalidData(
        f"{line.where}: neither a column report nor text; name the column in spec.dataset.fields"
        f" (the row has {', '.join(list(line.row)[:8]) or 'none'})"
    )


def read_text(line: Line, columns: Columns) -> ScoredText:
    """Read the text of a row, with or without scores beside it. InvalidData names the column."""
    values = {part: _look_up(line.row, path) for part, path in columns.paths.items()}
    for part, value in values.items():
        name = columns.paths[part]
        if value is _MISSING:
            raise InvalidData(f"{line.where}: no column {name} (spec.dataset.fields.{_yaml_name(part)})")
        if part != "input_data" and not isinstance(value, str):
            raise InvalidData(f"{line.where}: {name} is {kind_of(value)}; give a text")
        if part in ("text", "report") and not str(value).strip():
            raise InvalidData(f"{line.where}: {name} is empty; remove the row or give its text")
        _check_characters(value, f"{line.where}: {name}")
    if columns.layout == "Text":
        return str(values["text"])
    return ReportParts(
        report=str(values["report"]),
        system_prompt=str(values.get("system_prompt", "")),
        input_data=values.get("input_data", ""),
    )


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
        given = _look_up(line.row, self._column)
        if given is _MISSING:
            raise InvalidData(f"{line.where}: no column {self._column} (spec.dataset.fields.scores)")
        if not isinstance(given, list):
            return (self._from_object(given, self._column, line.where),)
        if not given:
            raise InvalidData(f"{line.where}: {self._column} is an empty list; a row needs an annotator")
        return tuple(
            self._from_object(one, f"{self._column}[{index}]", line.where) for index, one in enumerate(given)
        )

    def _from_columns(self, line: Line) -> tuple[float, ...]:
        return tuple(
            self._check(
                _look_up(line.row, self._paths.get(d.name, d.name)),
                self._paths.get(d.name, d.name),
                index,
                line.where,
            )
            for index, d in enumerate(self._dimensions)
        )

    def _from_object(self, given: object, name: str, where: str) -> tuple[float, ...]:
        if not isinstance(given, dict):
            raise InvalidData(f"{where}: {name} is {kind_of(given)}; give an object of dimension and number")
        return tuple(
            self._check(given.get(d.name, _MISSING), f"{name}.{d.name}", index, where)
            for index, d in enumerate(self._dimensions)
        )

    def _check(self, value: object, name: str, index: int, where: str) -> float:
        dimension = self._dimensions[index]
        source = f"(spec.objective.regression.dimensions[{index}])"
        if value is _MISSING:
            raise InvalidData(f"{where}: {name} is missing {source}")
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise InvalidData(f"{where}: {name} is {kind_of(value)}; give a number {source}")
        if not dimension.minimum <= value <= dimension.maximum:
            low, high = f"{dimension.minimum:g}", f"{dimension.maximum:g}"
            raise InvalidData(f"{where}: {name} is {_shown(value)}, outside {low}…{high} {source}")
        return float(value)


def _look_up(row: dict[str, object], path: str) -> object:
    """Return what stands at a path: a column of that very name, else names joined by dots."""
    if path in row:
        return row[path]
    value: object = row
    for name in path.split("."):
        if not isinstance(value, dict) or name not in value:
            return _MISSING
        value = value[name]
    return value


def _check_characters(value: object, what: str) -> None:
    """Half a surrogate pair is JSON, but no text: tokenizers refuse it."""
    if isinstance(value, str) and not value.isascii():
        try:
            value.encode("utf-8")
        except UnicodeEncodeError as error:
            raise InvalidData(f"{what} holds half a character at {error.start}; correct it") from error


def _shown(value: float) -> str:
    return f"{value:g}" if value < _HUGE else str(value)[:20]


def _yaml_name(part: str) -> str:
    first, *rest = part.split("_")
    return first + "".join(word.capitalize() for word in rest)
