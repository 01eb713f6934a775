"""What lies in a workspace at once, against its room."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.core.plan.builders import a_plan, a_run
from trainjobs.core.plan.render import rendering
from trainjobs.core.plan.workspace import Sizes, Workspace, parameters_named, workspace
from trainjobs.core.settings import Settings

GIB = 2**30
BILLION = 10**9


def kept(sizes: Sizes | None = None, settings: Settings | None = None, **spec: Any) -> Workspace:
    plan = a_plan(a_run(**spec), *([settings] if settings else []))
    return workspace(plan.recipe, rendering(plan).template, sizes or whole(7 * BILLION))


def whole(parameters: int, steps: tuple[int, int] | None = None) -> Sizes:
    return Sizes(parameters, parameters, {"base model": 2 * parameters}, steps)


def test_the_default_workspace_does_not_hold_a_model_of_seven_billion_with_its_optimizer() -> None:
    found = kept()

    assert found.contents == {
        "base model": 14 * BILLION,
        "checkpoints": 4 * 84 * BILLION,
        "finished model": 28 * BILLION,
    }
    assert (found.room, found.fits) == (50 * GIB, False)
    assert found.advice == "set spec.workspace.size to 390Gi"
    assert kept(workspace={"size": "390Gi"}).fits


def test_an_adapter_fits_where_its_base_does() -> None:
    lora = {"type": "LoRA"}

    found = kept(Sizes(7 * BILLION, 40 * 10**6, {"base model": 14 * BILLION}, None), adapter=lora)

    assert found.fits
    assert found.contents["finished model"] == 14 * BILLION


@pytest.mark.parametrize(
    ("steps", "checkpoints", "count"),
    [
        (None, {}, 4),
        ((10, 10), {}, 1),
        ((10, 20), {}, 3),
        ((10, 30), {}, 4),
        ((10, 300), {}, 4),
        ((10, 10), {"saveEverySteps": 5}, 3),
        ((10, 10), {"saveEverySeconds": 60}, 4),
    ],
)
def test_a_run_that_saves_less_keeps_less(
    steps: tuple[int, int] | None, checkpoints: dict[str, int], count: int
) -> None:
    assert kept(whole(BILLION, steps), checkpoints=checkpoints).checkpoints == count


@pytest.mark.parametrize(
    ("strategy", "all_of_them"),
    [
        ({"type": "DDP"}, 4 * 12 * BILLION),
        ({"type": "DeepSpeed", "deepSpeed": {"stage": 3}}, 4 * 8 * BILLION),
        # What it goes on from is fetched whole.
        ({"type": "FSDP"}, (3 * 6 + 12) * BILLION),
    ],
)
def test_every_node_keeps_its_share_of_what_is_sharded(strategy: dict[str, Any], all_of_them: int) -> None:
    found = kept(whole(BILLION), topology={"nodes": 2, "processesPerNode": 1, "strategy": strategy})

    assert found.contents["checkpoints"] == all_of_them


@pytest.mark.parametrize(
    ("spec", "room", "field"),
    [
        ({"workspace": {"size": "2Ti", "storageClass": "fast"}}, 2048 * GIB, "spec.workspace.size"),
        ({"resources": {"limits": {"ephemeral-storage": "9Gi"}}}, 9 * GIB,
         "spec.resources.limits.ephemeral-storage"),
        ({"workspace": {"size": "8Gi"}, "resources": {"limits": {"ephemeral-storage": "9Gi"}}}, 8 * GIB,
         "spec.workspace.size"),
    ],
)  # fmt: skip
def test_the_room_is_that_of_the_volume(spec: dict[str, Any], room: float, field: str) -> None:
    found = kept(**spec)

    assert (found.room, found.field) == (room, field)


def test_the_platform_s_volume_counts_as_the_pod_has_it() -> None:
    def given(**volume: Any) -> Workspace:
        template = {"spec": {"volumes": [{"name": "workspace", **volume}]}}
        return kept(settings=Settings(storage_uri="s3://runs", image="x", pod_templates=[template]))

    assert given(emptyDir={"sizeLimit": "1Ti"}).room == 1024 * GIB
    unbounded = given(hostPath={"path": "/scratch"})
    assert (unbounded.room, unbounded.fits) == (None, True)


@pytest.mark.parametrize(
    ("uri", "parameters"),
    [
        ("hf://Qwen/Qwen2.5-7B", 7 * BILLION),
        ("hf://Qwen/Qwen2.5-7B-Instruct@main", 7 * BILLION),
        ("hf://meta-llama/Llama-3.2-1.5b", 1_500_000_000),
        ("hf://org/gpt-125m", 125_000_000),
        ("hf://mistralai/Mixtral-8x7B-v0.1", 56 * BILLION),
        ("s3://models/70B/llama", 70 * BILLION),
        ("hf://bert-base-uncased", None),
        ("hf://org/qwen3", None),
        ("hf://org/model@7b1c2d3", None),
    ],
)
def test_a_model_s_name_says_how_large_it_is(uri: str, parameters: int | None) -> None:
    assert parameters_named(uri) == parameters


@given(st.integers(1, 10**12), st.integers(1, 10**12), st.integers(1, 500), st.integers(1, 500))
def test_more_to_keep_never_takes_less_room(small: int, large: int, few: int, many: int) -> None:
    small, large = sorted((small, large))
    few, many = sorted((few, many))

    less, more = kept(whole(small, (1, few))), kept(whole(large, (1, many)))

    assert less.needed <= more.needed
    assert less.fits or not more.fits
