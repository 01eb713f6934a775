"""Runs to test with."""

from collections.abc import Callable

import pytest

from trainjobs.api.runs import RewardModelRun, Run

MakeRun = Callable[..., Run]


@pytest.fixture
def make_run() -> MakeRun:
    """A reward model run by name; `from_run` names the run it starts from."""

    def make(name: str, *, from_run: str | None = None, train: str = "file:///data/train.jsonl") -> Run:
        base = (
            {"fromRun": {"kind": "RewardModelRun", "name": from_run}}
            if from_run
            else {"uri": "file:///models/base"}
        )
        return RewardModelRun.model_validate(
            {
                "metadata": {"name": name},
                "spec": {
                    "baseModel": base,
                    "dataset": {"train": train},
                    "objective": {
                        "type": "Regression",
                        "regression": {"dimensions": [{"name": "accuracy"}]},
                    },
                },
            }
        )

    return make
