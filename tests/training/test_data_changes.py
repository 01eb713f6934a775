"""What a run learned from never comes into its validation, whatever becomes of the data files."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.training.tiny import make_recipe, make_rows, train
from trainjobs.core.outputs import Failure
from trainjobs.ml.data.record import DataRecord
from trainjobs.ml.modeling.cards import RegressionCard, load_card

SHORT: dict[str, Any] = {"training": {"epochs": None, "maxSteps": 2}}
LONGER: dict[str, Any] = {"training": {"epochs": None, "maxSteps": 4}}
STANDARD: dict[str, Any] = {
    "objective": {"regression": {"normalization": "Standard"}},
    "dataset": {"evalFraction": 0.25},
}


def regression_card(folder: Path) -> RegressionCard:
    card = load_card(folder)
    assert isinstance(card, RegressionCard)
    return card


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """40 rows, 10 of them to validate on; the folder may get more files."""
    folder = tmp_path / "data"
    folder.mkdir()
    make_rows(folder / "a.jsonl", 40)
    return folder


@pytest.fixture
def checkpoint(tmp_path: Path, bert: Path, data: Path) -> Path:
    """A checkpoint of those rows, at step 2."""
    assert train(make_recipe(tmp_path / "first", bert, data, **STANDARD, **SHORT)) == 0
    return tmp_path / "first" / "output" / "checkpoint-2"


def go_on(folder: Path, base: Path, rows: Path, checkpoint: Path, **changes: Any) -> int:
    """Train two more steps from a checkpoint; the exit code."""
    resume = {"resumeFrom": str(checkpoint), **changes.pop("inputs", {})}
    recipe = make_recipe(folder, base, rows, **{**STANDARD, **LONGER, **changes}, inputs=resume)
    return train(recipe)


def grow(file: Path) -> None:
    """Add rows at the start, so that every row has another number."""
    more = make_rows(file.with_suffix(".more"), 31, seed=9).read_text()
    file.with_suffix(".more").unlink()
    file.write_text(more + file.read_text())


def validated(output: Path, data: Path) -> set[str]:
    """The texts that a run's report is about."""
    found = [json.loads(line)["where"] for line in (output / "predictions.jsonl").read_text().splitlines()]
    places = [where.split(" line ") for where in found]
    return {
        json.loads((data / name).read_text().splitlines()[int(line) - 1])["text"] for name, line in places
    }


def texts(folder: Path) -> set[str]:
    files = folder.glob("*.jsonl")
    return {json.loads(line)["text"] for file in files for line in file.read_text().splitlines()}


def add_file(data: Path) -> None:
    make_rows(data / "b.jsonl", 5, seed=3)


def rename_file(data: Path) -> None:
    (data / "a.jsonl").rename(data / "z.jsonl")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda data: grow(data / "a.jsonl"), "spec.dataset.train: a.jsonl has changed (SHA-256 "),
        (add_file, "spec.dataset.train: b.jsonl is new since step 2 was saved"),
        (rename_file, "spec.dataset.train: a.jsonl is gone, and 1 more since step 2 was saved"),
    ],
)
def test_changed_data_are_refused_with_the_file_and_what_to_do(
    tmp_path: Path, bert: Path, data: Path, checkpoint: Path, change: Any, said: str
) -> None:
    change(data)
    assert go_on(tmp_path / "first", bert, data, checkpoint) == 11
    failure = Failure.model_validate_json((tmp_path / "first" / "output" / "failure.json").read_bytes())
    assert failure.reason == "InvalidData"
    assert said in failure.message
    assert "trainjobs run --fresh or under another name" in failure.message
    assert "set spec.checkpoints.onDataChange to TakeUp" in failure.message


def test_validation_rows_that_come_later_are_refused_too(
    tmp_path: Path, bert: Path, data: Path, checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    later = make_rows(tmp_path / "later.jsonl", 5, seed=4)
    inputs, dataset = {"eval": str(later)}, {"eval": "file:///later.jsonl", "evalFraction": 0.0}
    assert go_on(tmp_path / "first", bert, data, checkpoint, inputs=inputs, dataset=dataset) == 11
    assert "spec.dataset.eval: later.jsonl is new since step 2" in capsys.readouterr().err


def test_rows_taken_up_on_request_keep_their_sides_and_scores_their_scale(
    tmp_path: Path, bert: Path, data: Path, checkpoint: Path
) -> None:
    before = validated(checkpoint.parent, data)
    learned = texts(data) - before
    grow(data / "a.jsonl")
    checkpoints = {"onDataChange": "TakeUp"}
    assert go_on(tmp_path / "second", bert, data, checkpoint, checkpoints=checkpoints) == 0
    output = tmp_path / "second" / "output"
    assert before < validated(output, data)
    assert not learned & validated(output, data)
    scale = [regression_card(one).normalization for one in (checkpoint, output / "checkpoint-4")]
    assert scale[0] == scale[1]
    records = [DataRecord.load(one) for one in (checkpoint, output / "checkpoint-4")]
    assert records[0].split == records[1].split
    assert records[0].files != records[1].files
    log = (output / "training.log").read_text()
    assert "a.jsonl has changed" in log
    # The next attempt finds the data that its checkpoint knows.
    assert go_on(tmp_path / "third", bert, data, output / "checkpoint-4") == 0


def test_another_run_goes_on_from_a_checkpoint_with_data_of_its_own(
    tmp_path: Path, bert: Path, data: Path, checkpoint: Path
) -> None:
    learned = texts(data) - validated(checkpoint.parent, data)
    grow(data / "a.jsonl")
    mine = {"uid": "1" * 36}
    changes = {"run": mine, "training": {**LONGER["training"], "seed": 7}}
    assert go_on(tmp_path / "other", bert, data, checkpoint, **changes) == 0
    output = tmp_path / "other" / "output"
    assert validated(output, data)
    assert not learned & validated(output, data)
    assert regression_card(output / "model").normalization == regression_card(checkpoint).normalization


def test_a_checkpoint_of_other_dimensions_is_refused_though_its_head_would_fit(
    tmp_path: Path, bert: Path, data: Path, checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dimensions = [{"name": name, "minimum": -10, "maximum": 10} for name in ("depth", "accuracy")]
    objective = {"regression": {"normalization": "Standard", "dimensions": dimensions}}
    run = {"uid": "1" * 36}
    assert go_on(tmp_path / "other", bert, data, checkpoint, run=run, objective=objective) == 10
    assert "the checkpoint of spec.checkpoints.resume scores accuracy, depth" in capsys.readouterr().err
