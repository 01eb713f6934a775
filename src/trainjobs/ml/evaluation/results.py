"""What an evaluation leaves: `evaluation.json` and `predictions.jsonl`, documented in docs/scoring.md."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar, Final, Literal

from pydantic import ConfigDict, Field, ValidationError, model_validator

from trainjobs.api.exchanged import Beyond, Exchanged
from trainjobs.errors import InvalidData
from trainjobs.ml.evaluation.figures import Figure
from trainjobs.ml.evaluation.raters import Agreement

VERSION: Final = 2
ANNOTATOR: Final = "annotator"
"""One annotator against the mean of the others, among what a group is compared with."""


class Record(Exchanged):
    """A part of a results file: unknown fields refused, no NaN."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Spread(Record):
    """How values lie."""

    mean: float
    deviation: float
    minimum: float
    maximum: float


class Group(Record):
    """Some of the judged rows, or one side of them: what its figures are, and what they are compared with."""

    name: str
    rows: int
    figures: dict[str, Figure]
    compared: dict[str, dict[str, Figure]] = Field(default_factory=dict)
    """The same figures of something simpler, or of people: `mean`, `length`, `annotator`. Empty where the
    training rows are not known."""


class Interval(Record):
    """How the intervals of figures were made: by bootstrap."""

    confidence: float
    samples: int
    seed: int


class DimensionDetails(Record):
    """One dimension of scores, or the overall score."""

    name: str
    minimum: float
    maximum: float
    weight: float | None
    """None for the overall score."""
    raters: Agreement | None
    """None where no row has several annotators."""
    true: Spread
    predicted: Spread


class ScoresDetails(Record):
    """What only evaluations of scores have."""

    family: Literal["Scores"] = "Scores"
    overall: DimensionDetails
    dimensions: list[DimensionDetails]


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


Details = ScoresDetails
"""By family, told apart by `family`."""


class EvaluationResult(Record):
    """`evaluation.json`."""

    beyond: ClassVar[Beyond] = "Refused"

    version: Literal[2] = VERSION
    task: str
    """What the model was trained for."""
    created: datetime
    model: str
    data: EvaluatedData
    train_rows: int | None
    """Rows that what it is compared with was fitted on."""
    interval: Interval
    groups: list[Group]
    """The one that says most first."""
    metrics: dict[str, float]
    """Every figure that exists under the name thresholds use: `overall.pearson`, `accuracy.mae`."""
    thresholds: list[ThresholdResult] = Field(default_factory=list)
    details: Details

    @model_validator(mode="before")
    @classmethod
    def _lift(cls, document: Any) -> Any:  # noqa: ANN401
        return (
            of_version_1(document)
            if isinstance(document, dict) and document.get("version") == 1
            else document
        )

    def group(self, name: str) -> Group:
        """Return a group by its name."""
        return next(group for group in self.groups if group.name == name)


def of_version_1(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return what this version would have written where the first one wrote `document`: scores alone."""
    parts = [document["overall"], *document["dimensions"]]
    shown = parts if len(parts) > 2 else parts[1:]
    kept = ("created", "model", "data", "train_rows", "metrics", "thresholds")
    return {
        "version": VERSION,
        "task": "Regression",
        **{name: document[name] for name in kept if name in document},
        "interval": {
            "confidence": document["confidence"],
            "samples": document["bootstrap_samples"],
            "seed": document["seed"],
        },
        "groups": [_group_of_version_1(part, document["data"]["rows"]) for part in shown],
        "details": {
            "family": "Scores",
            "overall": _details_of_version_1(parts[0]),
            "dimensions": [_details_of_version_1(part) for part in parts[1:]],
        },
    }


def _group_of_version_1(part: Mapping[str, Any], rows: int) -> dict[str, Any]:
    annotators = {ANNOTATOR: part["raters"]["figures"]} if part["raters"] else {}
    compared = {**part["baselines"], **annotators}
    return {"name": part["name"], "rows": rows, "figures": part["figures"], "compared": compared}


def _details_of_version_1(part: Mapping[str, Any]) -> dict[str, Any]:
    return {name: part[name] for name in DimensionDetails.model_fields}


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
