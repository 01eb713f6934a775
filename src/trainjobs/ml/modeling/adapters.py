"""Adapters: a few weights trained beside those of a base model, and merged into them in the end."""

from collections.abc import Collection
from typing import cast

from peft import LoraConfig, PeftModel, get_peft_model, prepare_model_for_kbit_training
from transformers import PreTrainedModel

from trainjobs.api.training import Adapter, LoRA
from trainjobs.errors import InvalidRecipe
from trainjobs.ml.modeling.heads import HEADS, head_names, is_head

Model = PreTrainedModel | PeftModel
_SAVED_ANYWAY = ("classifier", "score")
"""What the adapter's library adds to the modules of a scorer that are trained in full."""


def adapted(model: PreTrainedModel, adapter: Adapter, *, fresh: Collection[str], task: str) -> Model:
    """Return the model with what the recipe asks for.

    Args:
        model: the base; a quantized one is prepared to be trained.
        adapter: kind and options.
        fresh: weights that the base's files do not hold: their modules are trained in full, and kept beside
            the adapter, as a base that is loaded again holds other numbers.
        task: the adapter's library's name for what the model does (`SEQ_CLS`, `CAUSAL_LM`).

    InvalidRecipe when the base has no such modules.
    """
    if adapter.type == "None":
        return model
    if adapter.type == "QLoRA":
        model = prepare_model_for_kbit_training(  # type: ignore[no-untyped-call]
            model, use_gradient_checkpointing=False
        )
    lora = adapter.lora or LoRA()
    new = sorted({name.rpartition(".")[0] for name in fresh if not is_head(name)} | set(head_names(model)))
    config = LoraConfig(
        task_type=task,
        r=lora.rank,
        lora_alpha=int(lora.alpha) if lora.alpha.is_integer() else lora.alpha,  # type: ignore[arg-type]
        lora_dropout=lora.dropout,
        target_modules=lora.target_modules or "all-linear",
        exclude_modules=[*HEADS, *new] if not lora.target_modules else None,
        modules_to_save=[name for name in new if name not in _SAVED_ANYWAY],
    )
    try:
        result = get_peft_model(model, config)
    except ValueError as error:
        raise InvalidRecipe(f"spec.adapter.lora.targetModules: {_first_line(error)}") from error
    assert isinstance(result, PeftModel)
    return result


def merge(model: Model) -> PreTrainedModel:
    """Return the model with its adapter merged into its weights.

    A quantized base is dequantized first: merging into 4-bit weights gives garbage.
    """
    if not isinstance(model, PeftModel):
        return model
    if getattr(model.get_base_model(), "is_quantized", False):
        cast(PreTrainedModel, model.get_base_model()).dequantize()  # type: ignore[no-untyped-call]
    merged: PreTrainedModel = model.merge_and_unload()
    return merged


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0]
