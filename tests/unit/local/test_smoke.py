"""What a rehearsal changes of a run, and what not."""

import pytest

from trainjobs.api.runs import RewardModelRun
from trainjobs.errors import UsageError
from trainjobs.local.smoke import rehearsal


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


def test_a_script_of_the_users_own_cannot_be_shortened():
    with pytest.raises(UsageError, match="scores runs a script of your own"):
        rehearsal(run(runtime={"command": ["train.py"]}))
