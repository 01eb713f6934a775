"""Losses and gradients that are not finite end a training at the step they appear."""

import json
from pathlib import Path

import pytest

from tests.training.tiny import figures, make_recipe, train
from trainjobs.core.outputs import Failure


def test_a_loss_that_is_not_finite_names_step_and_remedy(
    tmp_path: Path, steady_bert: Path, rows: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = make_recipe(
        tmp_path,
        steady_bert,
        rows,
        training={"learningRate": 1e9, "maxGradNorm": 0, "extraArguments": {"optim": "sgd"}},
        checkpoints={"saveEverySteps": 1},
    )
    assert train(recipe) == 20
    output = tmp_path / "output"
    failure = Failure.model_validate_json((output / "failure.json").read_bytes())
    assert failure.reason == "Diverged"
    assert "Lower spec.training.learningRate" in failure.advice
    good = figures(output)
    failed_at = max(good) + 1
    assert f"at step {failed_at}:" in failure.message
    assert f"at step {failed_at}:" in capsys.readouterr().err
    assert all(value < 1e30 for value in good.values())
    kept = output / f"checkpoint-{failed_at - 1}"
    assert json.loads((kept / "trainer_state.json").read_text())["global_step"] == failed_at - 1
