"""Runs that start from others."""

import pytest

from tests.unit.core.decide.building import (
    at,
    condition,
    job,
    make_kind,
    make_run,
    onward,
    reasons,
    running,
    settled,
    with_status,
)
from trainjobs.api.status import RunStatus
from trainjobs.core.decide.observed import DependencyState, Observed

MODEL = "s3://runs/base/artifacts/model-a0001"


def other(
    condition_type: str = "", *, name: str = "base", deleted: bool = False, **status
) -> DependencyState:
    conditions = []
    if condition_type:
        conditions = [{"type": condition_type, "status": "True", "reason": "x", "lastTransitionTime": at(0)}]
    made = RunStatus.model_validate({"conditions": conditions, "artifacts": {"model": MODEL}, **status})
    return DependencyState("SFTRun", name, "Best", deleted=deleted, status=made)


ABSENT = DependencyState("SFTRun", "base", "Best")


@pytest.mark.parametrize(
    ("seen", "phase", "reason"),
    [
        ((), "Waiting", "DependencyMissing"),
        ((ABSENT,), "Waiting", "DependencyMissing"),
        ((other("Running"),), "Waiting", "WaitingForDependency"),
        ((other("Failed"),), "Failed", "DependencyFailed"),
        ((other("Running", deleted=True),), "Failed", "DependencyMissing"),
        ((other("Succeeded", artifacts={}),), "Failed", "DependencyFailed"),
        ((other("Succeeded"),), "Pending", "DependenciesReady"),
    ],
)
def test_the_other_run(seen, phase, reason) -> None:
    decision = onward(Observed(make_run(depends_on="base"), dependencies=seen), at(0))
    assert decision.status.phase == phase
    assert condition(decision.status, "DependenciesReady")[1] == reason
    assert (decision.start is not None) == (reason == "DependenciesReady")


def test_a_run_that_waited_starts_by_itself_and_keeps_to_what_it_started_from() -> None:
    run = settled(Observed(make_run(depends_on="base"), dependencies=(other("Running"),)))
    decision = onward(Observed(run, dependencies=(other("Succeeded"),)), at(5))
    assert [(one.name, one.uri) for one in decision.status.dependencies] == [("base", MODEL)]
    assert reasons(decision) == ["DependenciesReady", "AttemptCreated"]
    run = with_status(run, decision.status)
    for later in ((), (other("Succeeded", artifacts={"model": "s3://elsewhere"}),), (other("Failed"),)):
        again = onward(Observed(run, (job(),), (running(),), dependencies=later), at(9)).status
        assert again.dependencies == decision.status.dependencies
        assert again.phase == "Running"


def test_a_run_whose_other_was_deleted_while_it_waited_fails() -> None:
    run = settled(Observed(make_run(depends_on="base"), dependencies=(other("Running"),)))
    assert onward(Observed(run, dependencies=(ABSENT,)), at(5)).status.phase == "Failed"


def test_waiting_is_told_once() -> None:
    run = make_run(depends_on="base")
    first = onward(Observed(run, dependencies=(ABSENT,)), at(0))
    assert [(event.type, event.reason) for event in first.events] == [("Normal", "DependencyMissing")]
    again = onward(Observed(with_status(run, first.status), dependencies=(ABSENT,)), at(50))
    assert (again.events, again.status) == ((), first.status)


@pytest.mark.parametrize(("latest", "best", "uri"), [(90, 50, "s3://latest"), (90, 90, MODEL)])
def test_the_model_that_training_ended_with(latest: int, best: int, uri: str) -> None:
    run = make_kind(
        "RewardModelRun",
        baseModel={"fromRun": {"kind": "SFTRun", "name": "base", "checkpoint": "Final"}},
        objective={"type": "Regression", "regression": {"dimensions": [{"name": "quality"}]}},
    )
    checkpoints = {
        "latest": {"step": latest, "uri": "s3://latest", "time": at(0)},
        "best": {"step": best, "uri": "s3://best", "time": at(0)},
    }
    seen = other("Succeeded", checkpoints=checkpoints)
    assert onward(Observed(run, dependencies=(seen,)), at(0)).status.dependencies[0].uri == uri


def test_rewards_and_reference_are_waited_for_too() -> None:
    reward = {"model": {"fromRun": {"kind": "SFTRun", "name": "judge"}}}
    run = make_kind(
        "RLHFRun",
        baseModel={"fromRun": {"kind": "SFTRun", "name": "base"}},
        algorithm={"type": "GRPO", "grpo": {}, "rewards": [reward]},
    )
    waiting = onward(Observed(run, dependencies=(other("Succeeded"), other("Running", name="judge"))), at(0))
    assert waiting.start is None
    assert "judge" in next(c for c in waiting.status.conditions if c.type == "DependenciesReady").message
    done = (other("Succeeded"), other("Succeeded", name="judge"))
    assert onward(Observed(run, dependencies=done), at(0)).start.attempt == 1
    dpo = make_kind(
        "RLHFRun",
        baseModel={"uri": "hf://org/model"},
        algorithm={"type": "DPO", "dpo": {"reference": {"fromRun": {"kind": "SFTRun", "name": "base"}}}},
    )
    assert onward(Observed(dpo, dependencies=(other("Running"),)), at(0)).start is None
