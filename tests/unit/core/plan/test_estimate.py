"""Memory, checkpoint size and steps, against figures worked out by hand."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.core.plan.builders import a_plan
from trainjobs.core.plan.estimate import ModelShape, element_bytes, estimate, operations, steps
from trainjobs.core.recipe.model import Recipe
from trainjobs.ml.training.steps import plan_steps

MODEL = ModelShape(
    tensors={
        "model.embed_tokens.weight": (100, 8),
        "model.layers.0.q_proj.weight": (8, 8),
        "model.layers.0.up_proj.weight": (16, 8),
        "model.norm.weight": (8,),
    },
    hidden_size=8,
    layers=1,
    vocabulary=100,
)
PARAMETERS = 800 + 64 + 128 + 8


def recipe(**spec: object) -> Recipe:
    spec.setdefault("dataset", {"train": "s3://data/rows", "maxLength": 10})
    spec.setdefault("training", {"batchSizePerDevice": 2})
    return a_plan(**spec).recipe


def test_full_training_holds_weights_gradients_and_two_moments_in_float32() -> None:
    found = estimate(recipe(), MODEL, element_bytes=4)

    assert (found.parameters, found.trained) == (PARAMETERS, PARAMETERS)
    assert found.memory == {
        "weights": 4 * PARAMETERS,
        "gradients": 4 * PARAMETERS,
        "optimizer": 8 * PARAMETERS,
        "activations": 2 * 10 * 8 * 1 * 24 * 4,
    }
    assert found.checkpoint == 12 * PARAMETERS


def test_an_adapter_trains_rank_times_in_and_out_of_every_linear_layer() -> None:
    found = estimate(recipe(adapter={"type": "LoRA", "lora": {"rank": 2}}), MODEL, element_bytes=2)

    assert found.trained == 2 * (8 + 8) + 2 * (16 + 8)
    assert found.memory["weights"] == 2 * PARAMETERS


def test_operations_are_those_of_every_token_but_for_embeddings() -> None:
    tokens = 5 * 2 * 4 * 10  # steps × rows per pass × accumulation × longest text
    counted = PARAMETERS - 800
    recomputing = {"batchSizePerDevice": 2, "gradientCheckpointing": True}
    adapted = recipe(adapter={"type": "LoRA", "lora": {"rank": 2}})

    assert operations(recipe(), MODEL, 5) == 6 * counted * tokens
    assert operations(recipe(training=recomputing), MODEL, 5) == 8 * counted * tokens
    assert operations(adapted, MODEL, 5) == 4 * counted * tokens


def test_target_modules_choose_the_layers_of_an_adapter() -> None:
    adapter = {"type": "LoRA", "lora": {"rank": 2, "targetModules": ["q_proj"]}}

    assert estimate(recipe(adapter=adapter), MODEL, element_bytes=2).trained == 2 * (8 + 8)


def test_qlora_holds_linear_layers_in_four_bits() -> None:
    found = estimate(recipe(adapter={"type": "QLoRA"}), MODEL, element_bytes=2)

    assert found.memory["weights"] == -(-(192 * 4.127 / 8 + 2 * (PARAMETERS - 192)) // 1)


@pytest.mark.parametrize(
    ("strategy", "weights", "gradients", "optimizer"),
    [
        ({"type": "DDP"}, 4000, 4000, 8000),
        ({"type": "DeepSpeed", "deepSpeed": {"stage": 1}}, 4000, 4000, 2000),
        ({"type": "DeepSpeed"}, 4000, 1000, 2000),
        ({"type": "DeepSpeed", "deepSpeed": {"stage": 3}}, 1000, 1000, 2000),
        ({"type": "DeepSpeed", "deepSpeed": {"stage": 2, "offload": "CPU"}}, 4000, 1000, 0),
        ({"type": "DeepSpeed", "deepSpeed": {"stage": 3, "offload": "CPU"}}, 0, 1000, 0),
        ({"type": "FSDP"}, 1000, 1000, 2000),
        ({"type": "FSDP", "fsdp": {"sharding": "GradientsAndOptimizer"}}, 4000, 1000, 2000),
        ({"type": "FSDP", "fsdp": {"cpuOffload": True}}, 0, 0, 0),
    ],
)
def test_sharding_divides_what_it_shards(
    strategy: dict, weights: int, gradients: int, optimizer: int
) -> None:
    found = estimate(
        recipe(topology={"processesPerNode": 4, "strategy": strategy}), MODEL, element_bytes=4
    ).memory

    assert PARAMETERS == 1000
    assert (found["weights"], found["gradients"], found["optimizer"]) == (weights, gradients, optimizer)


def test_gradient_checkpointing_keeps_one_layer_whole_and_the_inputs_of_all() -> None:
    training = {"batchSizePerDevice": 2, "gradientCheckpointing": True}

    assert estimate(recipe(training=training), MODEL, element_bytes=2).memory["activations"] == (
        2 * 10 * 8 * 2 * (1 + 24)
    )


def test_attention_scores_are_kept_where_attention_is_not_fused() -> None:
    heads = replace(MODEL, dropout_heads=2)
    fused = estimate(recipe(), heads, element_bytes=4)
    kept = estimate(recipe(), heads, element_bytes=4, fused_attention=False)

    assert kept.memory["activations"] - fused.memory["activations"] == 3 * 2 * 2 * 10 * 10 * 4


def test_a_language_model_holds_logits_and_a_preference_two_texts() -> None:
    sft = estimate(recipe(kind="SFTRun"), MODEL, element_bytes=2)
    dpo = estimate(recipe(kind="RLHFRun"), MODEL, element_bytes=2)

    assert sft.memory["activations"] == 2 * 10 * 8 * 24 * 2 + 2 * 10 * 100 * (2 + 8)
    assert dpo.memory["activations"] == 2 * sft.memory["activations"]
    assert dpo.memory["weights"] == 2 * sft.memory["weights"]


@pytest.mark.parametrize(
    ("precision", "accelerated", "size"),
    [("Auto", True, 2), ("Auto", False, 4), ("FP32", True, 4), ("BF16", False, 2), ("FP16", True, 2)],
)
def test_auto_precision_is_half_on_an_accelerator(precision: str, accelerated: bool, size: int) -> None:
    assert element_bytes(recipe(training={"precision": precision}), accelerated=accelerated) == size


@given(
    rows=st.integers(1, 100_000),
    batch=st.integers(1, 64),
    accumulation=st.integers(1, 16),
    processes=st.integers(1, 16),
    epochs=st.floats(0.1, 10),
)
def test_steps_are_counted_as_training_counts_them(
    rows: int, batch: int, accumulation: int, processes: int, epochs: float
) -> None:
    found = recipe(
        training={"batchSizePerDevice": batch, "gradientAccumulationSteps": accumulation, "epochs": epochs},
        topology={"processesPerNode": processes},
    )
    planned = plan_steps(found, rows)

    assert steps(found, rows) == (planned.per_epoch, planned.total)


def test_rows_set_aside_for_validation_are_not_trained_on() -> None:
    dataset = {"train": "s3://data/rows", "evalFraction": 0.1, "trainFraction": 0.5}
    training = {"batchSizePerDevice": 1, "gradientAccumulationSteps": 1, "epochs": 2}

    assert steps(recipe(dataset=dataset, training=training), 100) == (45, 90)
