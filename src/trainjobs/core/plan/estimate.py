"""What a run will need, before it starts: memory of one device, size of a checkpoint, steps, and time.

Bytes of one device are the sum of four parts. P are all parameters, T those that are trained, W processes,
e the bytes of an activation (2 with bf16 or fp16, 4 with fp32), b rows per pass, s tokens per row, h
hidden size, a heads, L layers, V vocabulary.

- weights: 4·P where they are trained (float32), e·P under an adapter, and with QLoRA 4.127 bits for every
  weight of a linear layer (NF4 with double quantization: Dettmers et al. 2023, section 3).
- gradients: 4·T.
- optimizer: 8·T, AdamW's two float32 moments.
- activations: A = b·s·h·24·e + 3·b·a·s²·e of every layer. The form is that of Korthikanti et al. 2022, eq. 2;
  the factors are measured, by counting what autograd keeps in float32: 23.8 for Qwen3 (gated MLP), 18.5 for
  BERT, and 3.0 for attention scores, which are kept only where attention is not fused: on a CPU with
  attention dropout. In all L·A; with gradient checkpointing one A, and b·s·h·e for the input of each layer.
  Language models add b·s·V·(e + 8) for the logits, their float32 copy and its gradient.

Sharding divides by W: the optimizer (ZeRO-1), gradients too (ZeRO-2, FSDP GradientsAndOptimizer), weights
too (ZeRO-3, FSDP Full); what is offloaded to the host does not count. A row of preferences is two texts.
DPO holds a second copy of the weights as reference, unless an adapter is trained. What libraries keep beside
(CUDA context, communication buffers, fragmentation) is not in it: leave about 15 % free.

A checkpoint is 4·T of weights and 8·T of optimizer.

Floating-point operations of a token are 2·N forward and 4·N backward, where N are the parameters but for
embeddings (Kaplan et al. 2020, section 2.1); 2·N less backward where the base is frozen under an adapter, 2·N
more where activations are computed again. Every text is taken to be as long as allowed: it is an upper bound.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from trainjobs.core.recipe.model import Recipe

ACCELERATOR_OPERATIONS = 1.2e14
"""Floating-point operations a second of one accelerator: what training reaches on an A100 in bf16."""
CPU_OPERATIONS = 1.5e11
"""Of one process without: measured on two cores in float32, MiniLM."""
NF4_BYTES = 4.127 / 8
LAYER_ACTIVATIONS = 24
"""Activations kept of one layer, in units of b·s·h."""
SCORE_ACTIVATIONS = 3
"""Attention scores kept of one layer where attention is not fused, in units of b·a·s²."""
TWO_TEXTS = frozenset({"Pairwise", "DPO", "ORPO"})
LANGUAGE_TASKS = frozenset({"SFT", "DPO", "KTO", "ORPO", "CausalLM", "MaskedLM"})
ROLLOUT_TASKS = frozenset({"PPO", "GRPO", "RLOO"})
# Matrices that are no linear layers of the trunk, by a part of their name.
_NOT_ADAPTED = ("embed", "wte", "wpe", "lm_head", "score", "classifier", "norm")
_EMBEDDINGS = ("embed", "wte", "wpe")

Part = Literal["weights", "gradients", "optimizer", "activations"]


@dataclass(frozen=True, slots=True)
class ModelShape:
    """A base model: the shape of every tensor by name, and what its configuration says."""

    tensors: Mapping[str, tuple[int, ...]]
    hidden_size: int
    layers: int
    vocabulary: int
    dropout_heads: int = 0
    """Attention heads, where their scores pass a dropout; else 0."""

    @property
    def parameters(self) -> int:
        """How many numbers the model consists of."""
        return sum(math.prod(shape) for shape in self.tensors.values())


@dataclass(frozen=True, slots=True)
class Estimate:
    """What one run needs; sizes in bytes."""

    parameters: int
    trained: int
    memory: Mapping[Part, int]
    """Of one device."""
    checkpoint: int

    @property
    def device(self) -> int:
        """Memory of one device."""
        return sum(self.memory.values())


def steps(recipe: Recipe, rows: int) -> tuple[int, int]:
    """Return optimiser steps per epoch, and in all, for a training file of `rows` rows."""
    dataset, training = recipe.dataset, recipe.training
    aside = math.ceil(rows * dataset.eval_fraction)
    used = math.ceil((rows - aside) * dataset.train_fraction)
    passes = math.ceil(used / ((training.batch_size_per_device or 1) * recipe.processes.world_size))
    per_epoch = math.ceil(passes / (training.gradient_accumulation_steps or 1))
    return per_epoch, training.max_steps or math.ceil((training.epochs or 1.0) * per_epoch)


def estimate(
    recipe: Recipe, model: ModelShape, *, element_bytes: int, fused_attention: bool = True
) -> Estimate:
    """Estimate what a run needs.

    Args:
        recipe: the resolved run.
        model: its base model.
        element_bytes: of an activation: 2 in half precision, 4 in float32.
        fused_attention: whether scores with dropout are never kept, as on accelerators.
    """
    trained = model.parameters if recipe.adapter.type == "None" else _adapter_parameters(recipe, model)
    weights = _weight_bytes(recipe, model, element_bytes)
    sharded = _sharding(recipe)
    memory: dict[Part, int] = {
        "weights": math.ceil(weights * sharded["weights"]),
        "gradients": math.ceil(4 * trained * sharded["gradients"]),
        "optimizer": math.ceil(8 * trained * sharded["optimizer"]),
        "activations": _activation_bytes(
            recipe, model, element_bytes, score_heads=0 if fused_attention else model.dropout_heads
        ),
    }
    return Estimate(model.parameters, trained, memory, checkpoint=12 * trained)


def operations(recipe: Recipe, model: ModelShape, total_steps: int) -> float:
    """Return how many floating-point operations `total_steps` steps take at most, over all processes."""
    apart = sum(
        math.prod(shape)
        for name, shape in model.tensors.items()
        if any(word in name.lower() for word in _EMBEDDINGS)
    )
    of_token = 6.0
    of_token -= 2.0 if recipe.adapter.type != "None" else 0.0
    of_token += 2.0 if recipe.training.gradient_checkpointing else 0.0
    texts = total_steps * recipe.effective_batch_size * (2 if recipe.task in TWO_TEXTS else 1)
    return of_token * (model.parameters - apart) * texts * recipe.dataset.max_length


def element_bytes(recipe: Recipe, *, accelerated: bool) -> int:
    """Bytes of an activation; `Auto` is taken for bf16 on an accelerator."""
    precision = recipe.training.precision
    half = accelerated if precision == "Auto" else precision in ("BF16", "FP16")
    return 2 if half else 4


def _adapted(recipe: Recipe, model: ModelShape) -> list[tuple[int, int]]:
    """Shapes [out, in] of the linear layers that get an adapter."""
    wanted = recipe.adapter.lora.target_modules if recipe.adapter.lora else []
    return [shape for name, shape in _linear(model).items() if not wanted or _layer(name) in wanted]


def _layer(name: str) -> str:
    """Name of the layer that a tensor belongs to: `model.layers.0.q_proj.weight` → `q_proj`."""
    return name.removesuffix(".weight").rpartition(".")[2]


def _linear(model: ModelShape) -> dict[str, tuple[int, int]]:
    return {
        name: (shape[0], shape[1])
        for name, shape in model.tensors.items()
        if len(shape) == 2 and not any(word in name.lower() for word in _NOT_ADAPTED)
    }


def _adapter_parameters(recipe: Recipe, model: ModelShape) -> int:
    rank = recipe.adapter.lora.rank if recipe.adapter.lora else 16
    return sum(rank * (outputs + inputs) for outputs, inputs in _adapted(recipe, model))


def _weight_bytes(recipe: Recipe, model: ModelShape, element: int) -> float:
    match recipe.adapter.type:
        case "None":
            copies = 2 if recipe.task == "DPO" else 1
            return 4.0 * model.parameters * copies
        case "LoRA":
            return float(element * model.parameters)
        case "QLoRA":
            linear = sum(math.prod(shape) for shape in _linear(model).values())
            return linear * NF4_BYTES + element * (model.parameters - linear)


def _sharding(recipe: Recipe) -> dict[Part, float]:
    """The share of each part that one device holds."""
    part = 1 / recipe.processes.world_size
    strategy = recipe.processes.strategy
    shares: dict[Part, float] = {"weights": 1.0, "gradients": 1.0, "optimizer": 1.0}
    if strategy.type == "FSDP":
        options = strategy.fsdp
        offloaded = options is not None and options.cpu_offload
        whole_weights = options is not None and options.sharding == "GradientsAndOptimizer"
        held = 0.0 if offloaded else part
        shares["gradients"] = shares["optimizer"] = held
        shares["weights"] = 1.0 if whole_weights else held
    if strategy.type == "DeepSpeed":
        stage = strategy.deep_speed.stage if strategy.deep_speed else 2
        offloaded = strategy.deep_speed is not None and strategy.deep_speed.offload == "CPU"
        shares["optimizer"] = 0.0 if offloaded else part if stage >= 1 else 1.0
        shares["gradients"] = part if stage >= 2 else 1.0
        shares["weights"] = (0.0 if offloaded else part) if stage == 3 else 1.0
    return shares


def _activation_bytes(recipe: Recipe, model: ModelShape, element: int, *, score_heads: int) -> int:
    training, length = recipe.training, recipe.dataset.max_length
    texts = (training.batch_size_per_device or 1) * (2 if recipe.task in TWO_TEXTS else 1)
    tokens = texts * length
    inputs = tokens * model.hidden_size * element
    layer = LAYER_ACTIVATIONS * inputs + SCORE_ACTIVATIONS * tokens * length * score_heads * element
    kept = layer + model.layers * inputs if training.gradient_checkpointing else model.layers * layer
    logits = tokens * model.vocabulary * (element + 8) if recipe.task in LANGUAGE_TASKS else 0
    return kept + logits
