"""What this version trains, and what it refuses."""

from pathlib import Path
from typing import get_args

import pytest

from tests.unit.core.plan.builders import PLATFORM, REGRESSION, a_run
from trainjobs.api.conditions import Reason
from trainjobs.api.runs import Run
from trainjobs.core.plan.render import refusals
from trainjobs.core.recipe.model import Task
from trainjobs.core.recipe.resolve import resolve, task_of
from trainjobs.core.recipe.support import TRAINED, check_support, unsupported, untrained
from trainjobs.errors import InvalidRecipe
from trainjobs.local.session import Options, Unwatched, run_all
from trainjobs.local.smoke import try_all

REWARDS = [{"model": {"uri": "s3://models/reward"}}]
SCRIPT = {"command": ["train.py"]}


def runs_of_every_task() -> list[tuple[Task, str, Run]]:
    """Task, the field that asks for it, a run that does."""
    objectives = ("Pairwise", "Process", "LatentProcess")
    found = [("spec.objective.type", a_run(objective={"type": one})) for one in objectives]
    found.append(("spec.objective.type", a_run(objective=REGRESSION)))
    found.append(("kind", a_run("SFTRun")))
    for one in ("DPO", "KTO", "ORPO", "PPO", "GRPO", "RLOO"):
        rewards = REWARDS if one in ("PPO", "GRPO", "RLOO") else []
        found.append(("spec.algorithm.type", a_run("RLHFRun", algorithm={"type": one, "rewards": rewards})))
    found += [("spec.objective", a_run("PretrainRun", objective=one)) for one in ("Causal", "Masked")]
    return [(task_of(run), field, run) for field, run in found]


TASKS = runs_of_every_task()


def test_every_task_is_among_the_cases() -> None:
    assert {task for task, _, _ in TASKS} == set(get_args(Task))
    assert TRAINED.keys() <= set(get_args(Task))


@pytest.mark.parametrize(("task", "field", "run"), TASKS, ids=[task for task, _, _ in TASKS])
def test_what_is_not_in_the_table_is_refused_at_the_field_that_asks_for_it(
    task: Task, field: str, run: Run
) -> None:
    found = [] if task in TRAINED else [field]

    assert [one.field for one in unsupported(run)] == found
    refused = refusals(run, PLATFORM)
    assert [(one.reason, one.permanent) for one in refused] == [(Reason.UNSUPPORTED, True)] * len(found)
    assert all(task in str(one) or run.kind in str(one) for one in unsupported(run))


@pytest.mark.parametrize(("task", "field", "run"), TASKS, ids=[task for task, _, _ in TASKS])
def test_a_script_of_ones_own_trains_anything(task: Task, field: str, run: Run) -> None:
    runtime = run.spec.runtime.model_copy(update=SCRIPT)
    run = run.model_copy(update={"spec": run.spec.model_copy(update={"runtime": runtime})})

    assert list(unsupported(run)) == []
    assert refusals(run, PLATFORM) == ()


@pytest.mark.parametrize("start", [run_all, try_all])
def test_on_this_machine_none_of_several_is_begun(start, tmp_path: Path) -> None:
    runs = [a_run(), a_run("SFTRun")]

    with pytest.raises(InvalidRecipe, match="SFTRun ratings: kind: SFTRun is not trained"):
        list(start(runs, Options(tmp_path / "runs"), Unwatched()))
    assert list(tmp_path.iterdir()) == []


def test_what_is_trained_passes() -> None:
    check_support([a_run()])


@pytest.mark.parametrize(("adapter", "strategy"), [("QLoRA", "FSDP"), ("QLoRA", "DDP"), ("LoRA", "FSDP")])
def test_a_quantized_base_is_not_dealt_out(adapter: str, strategy: str) -> None:
    run = a_run(adapter={"type": adapter}, topology={"strategy": {"type": strategy}})

    found = ["spec.topology.strategy.type"] if (adapter, strategy) == ("QLoRA", "FSDP") else []
    assert [one.field for one in unsupported(run)] == found
    assert all("set DDP, or spec.adapter.type: LoRA" in one.message for one in unsupported(run))
    assert (untrained(resolve(run, PLATFORM)) is not None) == bool(found)


@pytest.mark.parametrize("page", ["templates/NOTES.txt", "README.md"])
def test_the_chart_names_all_that_is_trained(repo: Path, page: str) -> None:
    text = (repo / "charts" / "trainjobs" / page).read_text()
    words = {word for asked in TRAINED.values() for word in asked.split() if word[0].isupper()}

    assert {word for word in words if word not in text} == set()
