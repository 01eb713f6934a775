"""The rows of a run: split, and counted where one text stands on both sides."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.training.tiny import make_recipe
from trainjobs.core.recipe.model import Recipe
from trainjobs.errors import InvalidData
from trainjobs.ml.data.sides import Sides
from trainjobs.ml.modeling.tokenizer import load_config, load_tokenizer
from trainjobs.ml.objectives.protocol import Job
from trainjobs.ml.objectives.regression import RegressionObjective


def write(path: Path, *rows: dict[str, Any]) -> Path:
    scores = {"accuracy": 1, "depth": 2}
    path.write_text("".join(json.dumps({**row, "scores": scores}) + "\n" for row in rows))
    return path


def load(folder: Path, base: Path, rows: Path, **changes: Any) -> Sides:
    recipe = Recipe.model_validate(yaml.safe_load(make_recipe(folder, base, rows, **changes).read_text()))
    assert recipe.inputs is not None
    job = Job(recipe, recipe.inputs, load_tokenizer(base), load_config(base), before=None)
    return RegressionObjective.read(job).data


def test_texts_on_both_sides_of_a_split_are_counted(tmp_path: Path, bert: Path) -> None:
    # The second differs only in what is cut: a model reads the same.
    texts = ["good film", "bad " * 40 + "plot", "very dull story"]
    train = write(tmp_path / "train.jsonl", *({"text": text} for text in [*texts, "the scene"]))
    held = write(tmp_path / "eval.jsonl", {"text": "good film"}, {"text": "bad " * 40}, {"text": "fine"})
    data = load(tmp_path, bert, train, dataset={"evalFraction": 0.0}, inputs={"eval": str(held)})
    assert (data.repeated, len(data.learned)) == (2, 4)


def test_rows_that_a_model_reads_alike_and_a_split_parts_are_counted(tmp_path: Path, bert: Path) -> None:
    texts = ["bad " * 40 + "plot" * number for number in range(10)]
    data = load(tmp_path, bert, write(tmp_path / "train.jsonl", *({"text": text} for text in texts)))
    assert (data.repeated, len(data.learned)) == (2, 1)


def test_equal_rows_are_not_parted_by_a_split(tmp_path: Path, bert: Path) -> None:
    texts = ["good film"] * 5 + ["dull story"] * 5 + ["the plot"] * 5
    data = load(tmp_path, bert, write(tmp_path / "train.jsonl", *({"text": text} for text in texts)))
    assert data.validation is not None
    assert (data.repeated, len(data.validation), len(data.learned)) == (0, 5, 2)


def test_a_row_that_is_dropped_for_its_length_has_the_columns_of_the_others(
    tmp_path: Path, bert: Path
) -> None:
    long = {"report": "good " * 40}
    rows = write(tmp_path / "train.jsonl", {"report": "good"}, {**long, "input_data": {"a": 1}})
    with pytest.raises(InvalidData, match=r"^train\.jsonl line 2: input_data stands here, and not in train"):
        load(tmp_path, bert, rows, dataset={"overlong": "Drop"})


def test_validation_rows_have_the_columns_of_the_training_rows(tmp_path: Path, bert: Path) -> None:
    train = write(tmp_path / "train.jsonl", {"report": "good"})
    held = write(tmp_path / "eval.jsonl", {"report": "good", "input_data": {"a": 1}})
    with pytest.raises(InvalidData, match=r"^eval\.jsonl line 1: input_data stands here, and not in train"):
        load(tmp_path, bert, train, dataset={"evalFraction": 0.0}, inputs={"eval": str(held)})
