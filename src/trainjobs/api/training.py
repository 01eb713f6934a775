"""How a model is trained: the optimiser's side, and how much of it is trained."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, JsonValue

from trainjobs.api.base import Count, Identifier, PositiveFloat, Ratio, Rule, Section

Batch = Annotated[int, Field(ge=1, le=65536)]


class LoRA(Section):
    """Low-rank adaptation (Hu et al. 2021)."""

    rank: Annotated[int, Field(ge=1, le=1024)] = 16
    """Rank of the update."""
    alpha: PositiveFloat = 32.0
    """Scale: the update is multiplied by alpha / rank."""
    dropout: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.05
    """Dropout on the update's input."""
    target_modules: Annotated[list[Identifier], Field(max_length=64)] = Field(default_factory=list)
    """Names of the linear layers to adapt; empty means all of them but the head."""


class Adapter(Section):
    """How much of the model is trained: all of it, or an adapter."""

    type: Literal["None", "LoRA", "QLoRA"] = "None"
    """None trains every weight; LoRA a low-rank update; QLoRA that over a 4-bit base."""
    lora: LoRA | None = None
    """Options of `LoRA` and `QLoRA`."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "!has(self.lora) || self.type != 'None'",
            "spec.adapter.lora: only allowed with spec.adapter.type LoRA or QLoRA; remove it or set the type",
        ),
    )


class EarlyStopping(Section):
    """Stop when the best model has not been beaten for a while."""

    patience: Annotated[int, Field(ge=1, le=1000)] = 3
    """Evaluations without improvement before stopping."""
    min_delta: Annotated[float, Field(ge=0.0, le=1e6)] = 0.0
    """Smallest change that counts as improvement."""


class Training(Section):
    """Optimiser, batches, schedule, precision."""

    preset: Literal["None", "LittleMemory", "Speed"] = "None"
    """LittleMemory: 2 rows per pass, 8 passes per step, gradient checkpointing. Speed: 8 rows per pass, 2
    passes per step, length grouping; try `compile` beside it. Fields given beside it win."""
    epochs: PositiveFloat | None = None
    """Passes over the training rows; 3 when neither this nor maxSteps is given."""
    max_steps: Count | None = None
    """Optimiser steps, instead of epochs."""
    batch_size_per_device: Batch | None = None
    """Rows per forward pass on one device (default 4)."""
    gradient_accumulation_steps: Batch | None = None
    """Forward passes per optimiser step (default 4)."""
    global_batch_size: Annotated[int, Field(ge=1, le=16_777_216)] | None = None
    """Rows per optimiser step over all devices; the accumulation follows from it."""
    eval_batch_size_per_device: Batch | None = None
    """Rows per forward pass in evaluation; default is twice the training batch."""
    learning_rate: PositiveFloat = 1e-5
    """Peak learning rate."""
    schedule: Literal["Linear", "Cosine", "Constant", "ConstantWithWarmup"] = "Linear"
    """How the learning rate moves after warmup."""
    warmup_ratio: Ratio = 0.0
    """Part of all steps in which the rate rises to its peak."""
    weight_decay: Ratio = 0.0
    """AdamW's decay of weights."""
    max_grad_norm: Annotated[float, Field(ge=0.0, le=1e6)] = 1.0
    """Gradients are scaled down to this norm; 0 leaves them."""
    precision: Literal["Auto", "FP32", "BF16", "FP16"] = "Auto"
    """Arithmetic of forward and backward passes; Auto is bf16 where the device computes it, else fp32."""
    gradient_checkpointing: bool | None = None
    """Recompute activations in the backward pass: less memory, about a third more time."""
    packing: bool = False
    """SFT, pretraining: several short texts in one row."""
    length_grouping: bool | None = None
    """Batches of texts of similar length: less padding, more speed."""
    compile: bool | None = None
    """Run the model through torch.compile."""
    data_workers: Annotated[int, Field(ge=0, le=256)] = 0
    """Processes that prepare batches beside the training process."""
    seed: Annotated[int, Field(ge=0, le=2_147_483_647)] = 42
    """Seed of everything random: order, dropout, new weights."""
    early_stopping: EarlyStopping | None = None
    """Stop when validation no longer improves."""
    eval_every_steps: Count | None = None
    """Steps between two validations; default is once per epoch."""
    log_every_steps: Count = 10
    """Steps between two lines of metrics."""
    extra_arguments: Annotated[dict[Identifier, JsonValue], Field(max_length=64)] = Field(
        default_factory=dict
    )
    """Passed to the training library, in the types that its TrainingArguments declares."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "!(has(self.epochs) && has(self.maxSteps))",
            "spec.training: epochs and maxSteps exclude each other; remove one",
        ),
        Rule(
            "!(has(self.globalBatchSize) && has(self.gradientAccumulationSteps))",
            "spec.training: gradientAccumulationSteps follows from globalBatchSize; remove one",
        ),
    )
