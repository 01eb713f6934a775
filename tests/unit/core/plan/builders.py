"""Runs and plans for the tests of plans."""

from typing import Any

from trainjobs.api.runs import BY_KIND, Run
from trainjobs.core.decide.decision import StartAttempt
from trainjobs.core.plan.neutral import Plan, make_plan
from trainjobs.core.settings import Settings

UID = "1a2b3c4d-5e6f-4a1b-8c2d-3e4f5a6b7c8d"
PLATFORM = Settings(storage_uri="s3://store/runs", image="trainer:1", service_accounts=["trainer"])
REGRESSION = {"type": "Regression", "regression": {"dimensions": [{"name": "accuracy"}]}}


def a_run(kind: str = "RewardModelRun", **spec: Any) -> Run:
    own = {"RewardModelRun": {"objective": REGRESSION}, "RLHFRun": {"algorithm": {"type": "DPO"}}}.get(
        kind, {}
    )
    body = {
        "metadata": {"name": "ratings", "namespace": "ml", "uid": UID},
        "spec": {
            "baseModel": {"uri": "s3://models/base"},
            "dataset": {"train": "s3://data/train.jsonl"},
            **own,
            **spec,
        },
    }
    return BY_KIND[kind].model_validate(body)


def a_plan(
    run: Run | None = None,
    settings: Settings = PLATFORM,
    *,
    attempt: int = 1,
    queued: bool = False,
    **spec: Any,
) -> Plan:
    start = StartAttempt(attempt=attempt, halve_batch=0, queued=queued)
    return make_plan(run or a_run(**spec), start, settings)
