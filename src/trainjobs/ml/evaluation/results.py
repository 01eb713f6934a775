"""What an evaluation leaves: `evaluation.json` and `predictions.jsonl`, documented in docs/scoring.md."""

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import ClassVar, Final, Literal

from pydantic import ConfigDict, Field, ValidationError

from trainjobs.api.exchanged import Beyond, Exchanged
from trainjobs.errors import InvalidData
from trainjobs.ml.evaluation.figures import Figure
from trainjobs.ml.evaluation.raters import Agreement

VERSION: Final = 1


class Record(Exchanged):
    """A part of a results file: unknown fields refused, no NaN."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Spread(Record):
    """How values lie."""

    mean: float
    deviation: float
    minimum: float
    maximum: float


class DimensionResult(Record):
    """One dimension, or the overall score."""

    name: str
    minimum: float
    maximum: float
    weight: float | None
    """None for the overall score."""
    figures: dict[str, Figure]
    baselines: dict[str, dict[str, Figure]]
    """`mean` and `length`: the same figures of predicting the training mean, and of guessing by length. Empty
    where the training rows are not known."""
    raters: Agreement | None
    """None where no row has several annotators."""
    true: Spread
    predicted: Spread


class EvaluatedData(Record):
    """The rows that were judged."""

    split: Literal["test", "eval", "file"]
    path: str
    files: dict[str, str]
    """SHA-256 of each file."""
    rows: int
    truncated: int
    """Texts that were longer than `maxLength` and cut."""
    truncated_tokens: int
    """Tokens cut from them."""
    dropped: int
    """Texts that were longer than `maxLength` and left out."""
    repeated: int | None = None
    """Rows whose text was learned from, too; None where the training rows are not known."""


class ThresholdResult(Record):
    """One of `evaluation.thresholds`, and whether it was reached."""

    metric: str
    minimum: float | None
    maximum: float | None
    value: float | None
    passed: bool


class EvaluationResult(Record):
    """`evaluation.json`."""

    beyond: ClassVar[Beyond] = "Refused"

    version: Literal[1] = VERSION
    created: datetime
    model: str
    data: EvaluatedData
    train_rows: int | None
    """Rows that the baselines were fitted on."""
    confidence: float
    bootstrap_samples: int
    seed: int
    overall: DimensionResult
    dimensions: list[DimensionResult]
    thresholds: list[ThresholdResult] = Field(default_factory=list)
    metrics: dict[str, float]
    """Every figure that exists under the name thresholds use: `overall.pearson`, `accuracy.mae`."""

    @property
    def all_dimensions(self) -> list[DimensionResult]:
        """The overall score first, unless it says the same as the only dimension."""
        return [self.overall, *self.dimensions] if len(self.dimensions) > 1 else list(self.dimensions)


class PredictedRow(Record):
    """One line of `predictions.jsonl`."""

    where: str
    """File and line of the row."""
    id: object = None
    """What the row calls itself in a column `id`."""
    true: dict[str, float]
    """Mean of the annotators per dimension, and `overall`."""
    predicted: dict[str, float]
    """The same, as the model sees it."""
    characters: int
    """Length of the joined text."""
    tokens: int
    truncated_tokens: int
    excerpt: str
    """The beginning of what was judged: of the report, where rows have one."""


def write_result(path: Path, result: EvaluationResult) -> None:
    """Write `result`, whole or not at all."""
    write_text(path, result.model_dump_json(indent=2) + "\n")


def read_result(path: Path) -> EvaluationResult:
    """Read `evaluation.json`.

    Raises:
        InvalidData: it is not there, or not what an evaluation writes.
    """
    try:
        return EvaluationResult.from_json(path.read_bytes())
    except FileNotFoundError:
        raise InvalidData(f"{path}: not found; no evaluation has been written there") from None
    except ValidationError as problem:
        first = problem.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InvalidData(
            f"{path}: not an evaluation of version {VERSION}: {where}: {first['msg']}"
        ) from None


def write_predictions(path: Path, rows: Sequence[PredictedRow]) -> None:
    """Write one row a line, whole or not at all."""
    lines = (json.dumps(row.model_dump(), ensure_ascii=False, allow_nan=False) for row in rows)
    write_text(path, "".join(line + "\n" for line in lines))


def read_predictions(path: Path) -> list[PredictedRow]:
    """Read `predictions.jsonl`; an absent file is no rows.

    Raises:
        InvalidData: a line is not a prediction; names it.
    """
    return list(_read_predictions(path)) if path.exists() else []


def _read_predictions(path: Path) -> Iterator[PredictedRow]:
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            try:
                yield PredictedRow.from_json(line)
            except ValidationError as problem:
                detail = problem.errors(include_url=False)[0]["msg"]
                raise InvalidData(f"{path} line {number}: not a prediction: {detail}") from None


def write_text(path: Path, text: str) -> None:
    """Write a file aside, then rename it into place."""
    aside = path.with_name(f".{path.name}.part")
    aside.write_text(text, encoding="utf-8")
    aside.replace(path)
