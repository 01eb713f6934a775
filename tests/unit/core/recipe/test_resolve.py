"""A run and what it depends on → its recipe."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.core.plan.builders import PLATFORM, a_run
from trainjobs.api.runs import Run
from trainjobs.api.status import DependencyStatus
from trainjobs.api.training import Training
from trainjobs.core.recipe.model import Recipe
from trainjobs.core.recipe.presets import DEFAULTS, PRESETS, with_preset
from trainjobs.core.recipe.resolve import resolve
from trainjobs.core.recipe.storage import to_pin
from trainjobs.core.settings import Settings
from trainjobs.errors import InvalidRecipe


def recipe(settings: Settings = PLATFORM, *, halve_batch: int = 0, **spec: object) -> Recipe:
    return resolve(a_run(**spec), settings, halve_batch=halve_batch)


def pinned(run: Run, *dependencies: tuple[str, str, str]) -> Run:
    status = run.status.model_copy(
        update={"dependencies": [DependencyStatus(kind=k, name=n, uri=u) for k, n, u in dependencies]}
    )
    return run.model_copy(update={"status": status})


def test_without_batches_given_four_times_four() -> None:
    training = recipe().training

    assert (training.batch_size_per_device, training.gradient_accumulation_steps) == (4, 4)
    assert (training.eval_batch_size_per_device, training.epochs) == (8, 3.0)


def test_the_accumulation_follows_from_the_global_batch() -> None:
    found = recipe(
        training={"globalBatchSize": 96, "batchSizePerDevice": 4},
        topology={"nodes": 2, "processesPerNode": 3},
    )

    assert found.training.gradient_accumulation_steps == 4
    assert found.effective_batch_size == 96
    assert found.training.global_batch_size is None


def test_a_global_batch_that_does_not_divide_is_refused_with_the_multiple() -> None:
    with pytest.raises(InvalidRecipe) as error:
        recipe(training={"globalBatchSize": 30, "batchSizePerDevice": 4}, topology={"processesPerNode": 2})

    assert str(error.value).startswith("spec.training.globalBatchSize: 30 is not a multiple of 8 ")


def test_more_passes_per_step_than_allowed_are_refused() -> None:
    with pytest.raises(InvalidRecipe, match=r"16777216 forward passes per optimiser step"):
        recipe(training={"globalBatchSize": 16_777_216, "batchSizePerDevice": 1})


@given(
    batch=st.integers(1, 4096),
    accumulation=st.integers(1, 16),
    processes=st.integers(1, 8),
    halvings=st.integers(0, 15),
)
def test_halving_the_batch_keeps_the_effective_batch(
    batch: int, accumulation: int, processes: int, halvings: int
) -> None:
    spec = {
        "training": {"batchSizePerDevice": batch, "gradientAccumulationSteps": accumulation},
        "topology": {"processesPerNode": processes},
    }
    whole, halved = recipe(**spec), recipe(halve_batch=halvings, **spec)

    assert halved.effective_batch_size == whole.effective_batch_size
    assert halved.training.batch_size_per_device <= max(1, batch >> halvings)
    assert Recipe.model_validate_json(halved.model_dump_json(by_alias=True)) == halved


def test_a_batch_of_six_is_halved_to_three_then_to_one() -> None:
    batches = [recipe(halve_batch=n, training={"batchSizePerDevice": 6}).training for n in range(4)]

    assert [(one.batch_size_per_device, one.gradient_accumulation_steps) for one in batches] == [
        (6, 4),
        (3, 8),
        (1, 24),
        (1, 24),
    ]


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_fills_every_default_and_is_spent(preset: str) -> None:
    filled = with_preset(Training(preset=preset))

    assert filled.preset == "None"
    assert all(getattr(filled, name) is not None for name in DEFAULTS)


@given(st.sampled_from(sorted(PRESETS)), st.integers(1, 100), st.booleans())
def test_what_the_manifest_gives_wins_over_its_preset(preset: str, batch: int, checkpointing: bool) -> None:
    given_ = Training(preset=preset, batch_size_per_device=batch, gradient_checkpointing=checkpointing)

    filled = with_preset(given_)

    assert (filled.batch_size_per_device, filled.gradient_checkpointing) == (batch, checkpointing)
    assert with_preset(filled) == filled


@pytest.mark.parametrize(
    ("preset", "expected"), [("LittleMemory", (2, 8, True, False)), ("Speed", (8, 2, False, True))]
)
def test_a_preset_is_what_its_description_says(preset: str, expected: tuple[int, int, bool, bool]) -> None:
    filled = with_preset(Training(preset=preset))

    assert expected == (
        filled.batch_size_per_device,
        filled.gradient_accumulation_steps,
        filled.gradient_checkpointing,
        filled.length_grouping,
    )


def test_presets_keep_sixteen_rows_per_step() -> None:
    products = {
        name: filled.batch_size_per_device * filled.gradient_accumulation_steps
        for name in PRESETS
        if (filled := with_preset(Training(preset=name)))
    }

    assert products == {"None": 16, "LittleMemory": 16, "Speed": 16}


def test_steps_given_leave_no_epochs() -> None:
    assert recipe(training={"maxSteps": 7}).training.epochs is None


def test_auto_processes_are_one_per_accelerator_or_one() -> None:
    gpus = {"limits": {"nvidia.com/gpu": "4", "cpu": 8}}

    assert recipe().processes.per_node == 1
    assert recipe(resources=gpus).processes.per_node == 4
    assert recipe(resources={"requests": {"amd.com/gpu": 2}}).processes.per_node == 2
    assert recipe(resources=gpus, topology={"processesPerNode": 3}).processes.per_node == 3


def test_on_one_machine_its_own_accelerators_count_not_those_asked_of_a_cluster() -> None:
    gpus = {"limits": {"nvidia.com/gpu": 8}}

    def here(devices: int) -> int:
        settings = PLATFORM.model_copy(update={"devices_per_node": devices})
        return recipe(settings, resources=gpus).processes.per_node

    assert (here(0), here(2)) == (1, 2)


def test_a_broken_accelerator_is_refused() -> None:
    with pytest.raises(InvalidRecipe, match=r"spec\.resources\.limits\[nvidia\.com/gpu\]: 500m"):
        recipe(resources={"limits": {"nvidia.com/gpu": "500m"}})
    with pytest.raises(InvalidRecipe, match=r"9{40} is not allowed"):
        recipe(podTemplate=agent_with(limits={"nvidia.com/gpu": "9" * 5000}))


def agent_with(**resources: dict) -> dict:
    return {"spec": {"containers": [{"name": "pytorch", "resources": resources}]}}


def test_the_agent_has_the_grace_that_the_pod_template_gives_its_pod() -> None:
    template = {"spec": {"terminationGracePeriodSeconds": 300}}
    assert recipe(podTemplate=template).limits.grace_seconds == 300
    assert recipe(podTemplate={"spec": {}}).limits.grace_seconds == PLATFORM.grace_seconds
    assert recipe(podTemplate={}).limits.grace_seconds == PLATFORM.grace_seconds


def test_a_model_of_another_run_is_the_pinned_one() -> None:
    run = a_run(baseModel={"fromRun": {"kind": "SFTRun", "name": "chat"}})

    found = resolve(pinned(run, ("SFTRun", "chat", "s3://m/chat")), PLATFORM)

    assert found.model.uri == "s3://m/chat"


def test_a_model_that_is_not_pinned_is_refused() -> None:
    with pytest.raises(InvalidRecipe, match=r"spec\.baseModel\.fromRun: "):
        recipe(baseModel={"fromRun": {"kind": "SFTRun", "name": "chat"}})


def test_reference_and_rewards_of_other_runs_are_pinned_too() -> None:
    def a_source(name: str) -> dict:
        return {"fromRun": {"kind": "RewardModelRun", "name": name}}

    reference = {"type": "DPO", "dpo": {"reference": a_source("first")}}
    rewards = {"type": "GRPO", "rewards": [{"model": a_source("second"), "weight": 2.0}]}
    both = (("RewardModelRun", "first", "s3://m/1"), ("RewardModelRun", "second", "s3://m/2"))

    dpo = resolve(pinned(a_run("RLHFRun", algorithm=reference), *both), PLATFORM).algorithm
    grpo = resolve(pinned(a_run("RLHFRun", algorithm=rewards), *both), PLATFORM).algorithm

    assert dpo.dpo.reference.uri == "s3://m/1"
    assert dpo.dpo.reference.from_run is None
    assert (grpo.rewards[0].model.uri, grpo.rewards[0].weight) == ("s3://m/2", 2.0)
    with pytest.raises(InvalidRecipe, match=r"spec\.algorithm\.rewards\[0\]\.model\.fromRun: "):
        resolve(a_run("RLHFRun", algorithm=rewards), PLATFORM)


def test_the_runs_folder_lies_below_its_own_storage_then_the_platforms() -> None:
    own = {"storage": {"uri": "s3://own/prefix/"}}

    assert recipe().store == "s3://store/runs/ml/RewardModelRun/ratings-1a2b3c4d"
    assert recipe(checkpoints=own).store == "s3://own/prefix/ml/RewardModelRun/ratings-1a2b3c4d"


def test_a_folder_of_this_machine_holds_only_runs_without_storage_of_their_own() -> None:
    here = Settings(run_store="file:///runs/ratings")

    assert recipe(here).store == "file:///runs/ratings"
    assert recipe(here, checkpoints={"storage": {"uri": "s3://own"}}).store == (
        "s3://own/ml/RewardModelRun/ratings-1a2b3c4d"
    )


def test_without_any_storage_the_field_and_the_fix_are_named() -> None:
    with pytest.raises(InvalidRecipe, match=r"spec\.checkpoints\.storage\.uri: no storage is given"):
        recipe(Settings())


def test_the_platforms_keys_are_for_the_platforms_storage_only() -> None:
    platform = PLATFORM.model_copy(update={"storage_secret_name": "keys", "storage_endpoint": "https://s3"})

    assert recipe(platform).checkpoints.storage.secret_name == "keys"
    assert recipe(platform).checkpoints.storage.endpoint == "https://s3"
    assert (
        recipe(platform, checkpoints={"storage": {"uri": "s3://own"}}).checkpoints.storage.secret_name is None
    )


def test_where_a_run_is_stored_is_pinned_whatever_the_platform_says_later() -> None:
    then = PLATFORM.model_copy(
        update={
            "storage_secret_name": "keys",
            "storage_endpoint": "https://s3",
            "storage_region": "here",
            "storage_ca_config_map_name": "ca",
        }
    )
    run = a_run()
    started = run.model_copy(
        update={"status": run.status.model_copy(update={"storage": to_pin(run, then)})},
    )
    for later in (PLATFORM, Settings(), Settings(storage_uri="pvc://elsewhere", storage_secret_name="other")):
        first, next_ = resolve(run, then), resolve(started, later)
        assert (next_.store, next_.checkpoints.storage) == (first.store, first.checkpoints.storage)


def test_nothing_is_pinned_in_a_folder_that_may_be_moved_nor_where_no_storage_is_known() -> None:
    assert to_pin(a_run(), Settings(run_store="file:///runs/ratings")) is None
    assert to_pin(a_run(), Settings()) is None
    own = to_pin(a_run(checkpoints={"storage": {"uri": "s3://own"}}), Settings(run_store="file:///x"))
    assert own is not None
    assert own.uri == "s3://own/ml/RewardModelRun/ratings-1a2b3c4d"


@pytest.mark.parametrize(
    ("kind", "spec", "task"),
    [
        ("RewardModelRun", {}, "Regression"),
        ("RewardModelRun", {"objective": {"type": "Pairwise"}}, "Pairwise"),
        ("SFTRun", {}, "SFT"),
        ("RLHFRun", {"algorithm": {"type": "ORPO"}}, "ORPO"),
        ("PretrainRun", {}, "CausalLM"),
        ("PretrainRun", {"objective": "Masked"}, "MaskedLM"),
    ],
)
def test_every_kind_has_its_task(kind: str, spec: dict, task: str) -> None:
    assert resolve(a_run(kind, **spec), PLATFORM).task == task
