"""What a run left, read back: the inputs of its report and of its diagnosis. No torch."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import yaml
from pydantic import JsonValue, ValidationError

from trainjobs.core import outputs
from trainjobs.core.metrics_history import MetricRecord
from trainjobs.core.recipe.model import Recipe
from trainjobs.errors import InvalidData, UsageError
from trainjobs.ml.evaluation.baselines import BASELINES_FILE, Baselines
from trainjobs.ml.evaluation.results import EvaluationResult, PredictedRow, read_predictions, read_result
from trainjobs.storage.artifacts import artifact_here

PLACES = ("report", ".")
"""Where else than in the artifact: in one that was pulled, or in an output folder."""


@dataclass(frozen=True, slots=True)
class RunFiles:
    """The files of one run's output, as far as they are there."""

    folder: Path
    result: EvaluationResult | None
    predictions: Sequence[PredictedRow]
    history: Sequence[MetricRecord]
    recipe: Recipe | None
    recipe_text: str
    stats: Mapping[str, JsonValue]
    environment: Mapping[str, JsonValue]
    failure: outputs.Failure | None
    baselines: Baselines | None

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read a folder that holds an output's files.

        Raises:
            InvalidData: a file is not what training and evaluation write; names it.
        """
        evaluation, recipe = folder / outputs.EVALUATION, folder / outputs.RECIPE
        failure = folder / outputs.FAILURE
        return cls(
            folder=folder,
            result=read_result(evaluation) if evaluation.exists() else None,
            predictions=read_predictions(folder / outputs.PREDICTIONS),
            history=read_history(folder / outputs.METRICS),
            recipe=_read_recipe(recipe),
            recipe_text=recipe.read_text(encoding="utf-8") if recipe.exists() else "",
            stats=_read_object(folder / outputs.STATS),
            environment=_read_object(folder / outputs.ENVIRONMENT),
            failure=outputs.Failure.from_document(_read_object(failure)) if failure.exists() else None,
            baselines=_read_baselines(folder),
        )


def find_files(path: Path) -> Path:
    """The folder under `path` that holds a run's report files.

    Raises:
        UsageError: there is none.
    """
    if not path.is_dir():
        raise UsageError(f"{path}: no such folder; give a run's folder (runs/<kind>/<name>)")
    artifact = artifact_here(path, "report")
    for folder in (*([artifact] if artifact else []), *(path / place for place in PLACES)):
        if (folder / outputs.METRICS).exists() or (folder / outputs.EVALUATION).exists():
            return folder
    if running := sorted(path.glob(f"work/attempt-*/node-0/output/{outputs.METRICS}")):
        return running[-1].parent
    raise UsageError(f"{path}: holds neither {outputs.METRICS} nor {outputs.EVALUATION}; give a run's folder")


def read_history(path: Path) -> list[MetricRecord]:
    """Read `metrics.jsonl`; an absent file is no history, and a line still being written is left out.

    Raises:
        InvalidData: a line is not a record; names it.
    """
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").split("\n")
    records = []
    for number, line in enumerate(lines[:-1], 1):
        try:
            records.append(MetricRecord.from_json(line))
        except ValidationError as problem:
            detail = problem.errors(include_url=False)[0]["msg"]
            raise InvalidData(f"{path} line {number}: not a record of metrics: {detail}") from None
    return records


def _read_recipe(path: Path) -> Recipe | None:
    if not path.exists():
        return None
    try:
        return Recipe.from_document(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (ValidationError, yaml.YAMLError) as problem:
        raise InvalidData(f"{path}: not a recipe: {str(problem).splitlines()[0]}") from None


def _read_object(path: Path) -> dict[str, JsonValue]:
    if not path.exists():
        return {}
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as problem:
        raise InvalidData(f"{path}: not JSON: {problem}") from None
    if not isinstance(value, dict):
        raise InvalidData(f"{path}: not a JSON object")
    return value


def _read_baselines(folder: Path) -> Baselines | None:
    for model in (folder / outputs.MODEL, folder.parent / outputs.MODEL):
        path = model / BASELINES_FILE
        if path.exists():
            try:
                return Baselines.from_json(path.read_bytes())
            except ValidationError as problem:
                raise InvalidData(f"{path}: {problem.errors(include_url=False)[0]['msg']}") from None
    return None
