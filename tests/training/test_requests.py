"""The agent's wishes are granted between two steps."""

from pathlib import Path

import pytest
from transformers import TrainerCallback

from tests.training.tiny import figures, make_recipe, train
from trainjobs.core.outputs import REQUEST, Failure
from trainjobs.errors import Preempted
from trainjobs.ml.training.run import TrainerRun
from trainjobs.ml.training.session import Session


def test_a_stop_is_granted_after_the_step_it_finds(tmp_path: Path, bert: Path, rows: Path) -> None:
    recipe = make_recipe(tmp_path, bert, rows)
    (tmp_path / "output").mkdir()
    (tmp_path / "output" / REQUEST).write_text("stop")
    assert train(recipe) == 143
    assert (tmp_path / "output" / "checkpoint-1" / "trainjobs-saved.json").is_file()
    failure = Failure.model_validate_json((tmp_path / "output" / "failure.json").read_bytes())
    assert failure.reason == "Preempted"
    assert not (tmp_path / "output" / "done.json").exists()


def test_a_validation_that_a_stop_prevented_is_made_up_for(tmp_path: Path, bert: Path, rows: Path) -> None:
    training = {"evalEverySteps": 1, "maxSteps": 3, "epochs": None}
    whole = make_recipe(tmp_path / "whole", bert, rows, training=training)
    assert train(whole) == 0
    recipe = make_recipe(tmp_path, bert, rows, training=training)
    (tmp_path / "output").mkdir()
    (tmp_path / "output" / REQUEST).write_text("stop")
    assert train(recipe) == 143
    (tmp_path / "output" / REQUEST).unlink()
    resume = {"resumeFrom": str(tmp_path / "output" / "checkpoint-1")}
    assert train(make_recipe(tmp_path, bert, rows, training=training, inputs=resume)) == 0
    expected = figures(tmp_path / "whole" / "output", "eval_loss")
    assert figures(tmp_path / "output", "eval_loss") == expected
    assert sorted(expected) == [1, 2, 3]


class StopWhileValidating(TrainerCallback):
    """The agent's wish arrives with the first batch of the first validation."""

    def __init__(self, request: Path) -> None:
        self.request = request
        self.batches = 0

    def on_prediction_step(self, *_args, **_kwargs):
        self.batches += 1
        self.request.write_text("stop")


def test_a_stop_ends_a_validation_and_saves_at_once(tmp_path: Path, bert: Path, rows: Path) -> None:
    session = Session.open(make_recipe(tmp_path, bert, rows, training={"evalBatchSizePerDevice": 4}))
    stop = StopWhileValidating(tmp_path / "output" / REQUEST)
    with pytest.raises(Preempted, match="saved at step 8 of 16"):
        TrainerRun(session).train(stop)
    assert stop.batches == 1
    assert (tmp_path / "output" / "checkpoint-8" / "trainjobs-saved.json").is_file()


def test_a_save_is_granted_once_and_training_goes_on(tmp_path: Path, bert: Path, rows: Path) -> None:
    recipe = make_recipe(tmp_path, bert, rows)
    (tmp_path / "output").mkdir()
    (tmp_path / "output" / REQUEST).write_text("save\n")
    assert train(recipe) == 0
    assert not (tmp_path / "output" / REQUEST).exists()
    steps = sorted(int(path.name.split("-")[1]) for path in (tmp_path / "output").glob("checkpoint-*"))
    assert steps == [1, 8, 16]
    assert len(figures(tmp_path / "output")) == 16
