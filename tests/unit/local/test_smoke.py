"""What a rehearsal changes of a run, and what not."""

from pathlib import Path

import pytest

from trainjobs.api.runs import RewardModelRun
from trainjobs.core.uris import file_uri
from trainjobs.errors import InvalidRecipe, UsageError
from trainjobs.local.session import Options, Unwatched
from trainjobs.local.smoke import rehearsal, try_all


def run(**spec: object) -> RewardModelRun:
    return RewardModelRun.model_validate(
        {
            "metadata": {"name": "scores"},
            "spec": {
                "baseModel": {"uri": "file:///model"},
                "dataset": {"train": "file:///train.jsonl", "test": "file:///test.jsonl"},
                "objective": {"type": "Regression", "regression": {"dimensions": [{"name": "accuracy"}]}},
                **spec,
            },
        }
    )


def test_one_step_is_trained_and_stored_here_without_a_second_try():
    asked = run(
        training={"epochs": 3, "batchSizePerDevice": 7, "earlyStopping": {"patience": 2}},
        checkpoints={"storage": {"uri": "s3://models/team"}, "keepBest": {"metric": "eval_mae"}},
        evaluation={"thresholds": [{"metric": "overall.pearson", "minimum": 0.9}]},
    )
    tried = rehearsal(asked).spec
    assert (tried.training.max_steps, tried.training.epochs, tried.training.early_stopping) == (1, None, None)
    assert tried.training.batch_size_per_device == 7
    assert tried.checkpoints.storage.uri is None
    assert tried.checkpoints.keep_best.metric == "eval_mae"
    assert tried.evaluation.thresholds == []
    assert (tried.run_policy.max_restarts, tried.run_policy.max_infrastructure_restarts) == (0, 0)
    assert tried.dataset == asked.spec.dataset
    assert asked.spec.training.epochs == 3


def test_what_a_run_would_go_on_from_is_looked_at(tmp_path: Path):
    (tmp_path / "config.json").write_text("{}")
    asked = run(checkpoints={"resume": {"type": "From", "uri": file_uri(tmp_path)}})
    with pytest.raises(InvalidRecipe, match=r"spec\.checkpoints\.resume\.uri: .*checkpoint of Hugging Face"):
        next(try_all([asked], Options(root=tmp_path / "runs"), Unwatched()))
    assert not (tmp_path / "runs").exists()


def test_a_script_of_the_users_own_cannot_be_shortened():
    with pytest.raises(UsageError, match="scores runs a script of your own"):
        rehearsal(run(runtime={"command": ["train.py"]}))
