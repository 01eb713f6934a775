"""Reward models that predict named scores: a pretrained base with a linear head, one output per dimension.

Models are the library's own `AutoModelForSequenceClassification` with
`problem_type="regression"`: without it, float labels of several dimensions are taken for
multi-label classification and trained with binary cross-entropy.
"""

import importlib.util
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

import torch
from peft import LoraConfig, PeftConfig, PeftModel, get_peft_model, prepare_model_for_kbit_training
from safetensors import SafetensorError
from torch import Tensor, nn
from transformers import (
    AutoModelForSequenceClassification,
    BitsAndBytesConfig,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from trainjobs.api.training import Adapter, LoRA
from trainjobs.errors import InvalidRecipe, ModelNotFound
from trainjobs.ml.modeling.scoring_config import ScoringConfig
from trainjobs.ml.modeling.tokenizer import load_config, load_tokenizer

Model = PreTrainedModel | PeftModel
HEADS = ("score", "classifier", "classification_head")
"""Names that the library's models give their heads."""


@dataclass(frozen=True, slots=True)
class HeadOptions:
    """What the head of a new model looks like."""

    names: list[str]
    """Names of the dimensions, in the order of the outputs."""
    pad_token_id: int
    dropout: float | None = None


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """How a base model is loaded."""

    dtype: torch.dtype = torch.float32
    quantization: Literal["None", "NF4"] = "None"
    trust_remote_code: bool = False


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """A trained reward model with all it needs to score."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    config: ScoringConfig


def build_model(folder: Path, head: HeadOptions, adapter: Adapter, load: LoadOptions) -> Model:
    """Load a base model from `folder`, with a new head and, where asked for, an adapter to train.

    Weights without a place in the base (the head) are new, from torch's generator: seed it first.
    ModelNotFound when a file of the model is missing or damaged; InvalidRecipe when the
    architecture has no sequence classification, or the machine cannot quantize.
    """
    config = load_config(folder, trust_remote_code=load.trust_remote_code)
    _configure_head(config, head)
    model = _load_base(folder, config, load)
    if head.dropout is not None and not hasattr(config, "classifier_dropout"):
        add_head_dropout(model, head.dropout)
    if adapter.type == "None":
        return model
    if adapter.type == "QLoRA":
        model = prepare_model_for_kbit_training(  # type: ignore[no-untyped-call]
            model, use_gradient_checkpointing=False
        )
    return _add_adapter(model, adapter.lora or LoRA())


def load_trained(folder: Path, *, trust_remote_code: bool = False) -> TrainedModel:
    """Load a reward model that training left: a `model` folder, or an `adapter` folder beside its base.

    An adapter is merged into its base. The model comes in evaluation mode, in float32, on the CPU.
    """
    config = ScoringConfig.load(folder)
    tokenizer = load_tokenizer(folder, trust_remote_code=trust_remote_code)
    load = LoadOptions(trust_remote_code=trust_remote_code)
    if (folder / "adapter_config.json").is_file():
        model = _load_adapter(folder, config, tokenizer, load)
    else:
        model = _load_base(folder, load_config(folder, trust_remote_code=trust_remote_code), load)
    if config.head_dropout is not None and not hasattr(model.config, "classifier_dropout"):
        add_head_dropout(model, config.head_dropout)
    model.train(mode=False)
    return TrainedModel(model, tokenizer, config)


def add_head_dropout(model: PreTrainedModel, probability: float) -> None:
    """Drop out the head's input while training, for architectures that have no such option themselves."""

    def drop(module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        dropped = nn.functional.dropout(inputs[0], probability, training=module.training)
        return (dropped, *inputs[1:])

    find_head(model).register_forward_pre_hook(drop)


def find_head(model: nn.Module) -> nn.Module:
    """Return the module that turns a pooled text into scores. InvalidRecipe when there is none known."""
    for name in HEADS:
        head = getattr(model, name, None)
        if isinstance(head, nn.Module):
            return head
    raise InvalidRecipe(f"spec.baseModel: {type(model).__name__} has no head named {', '.join(HEADS)}")


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


def _configure_head(config: PreTrainedConfig, head: HeadOptions) -> None:
    config.num_labels = len(head.names)
    config.id2label = dict(enumerate(head.names))
    config.label2id = {name: index for index, name in enumerate(head.names)}
    config.problem_type = "regression"
    config.pad_token_id = head.pad_token_id
    if head.dropout is not None and hasattr(config, "classifier_dropout"):
        config.classifier_dropout = head.dropout


def _load_base(folder: Path, config: PreTrainedConfig, load: LoadOptions) -> PreTrainedModel:
    try:
        model: PreTrainedModel = AutoModelForSequenceClassification.from_pretrained(
            folder,
            config=config,
            dtype=load.dtype,
            quantization_config=_quantization(load),
            trust_remote_code=load.trust_remote_code,
            local_files_only=True,
        )
    except pickle.UnpicklingError as error:
        raise ModelNotFound(
            f"{folder}: a weights file holds more than tensors and is refused; convert it to safetensors"
        ) from error
    except SafetensorError as error:
        raise ModelNotFound(
            f"{folder}: a weights file is damaged or cut off ({_first_line(error)}); fetch it again"
        ) from error
    except OSError as error:
        raise ModelNotFound(f"{folder}: {_first_line(error)}") from error
    except ValueError as error:
        raise InvalidRecipe(f"spec.baseModel: {folder}: {_first_line(error)}") from error
    return model


def _quantization(load: LoadOptions) -> BitsAndBytesConfig | None:
    if load.quantization == "None":
        return None
    if importlib.util.find_spec("bitsandbytes") is None:
        raise InvalidRecipe(
            "spec.adapter.type: QLoRA needs bitsandbytes, which is not installed; install it, or set LoRA"
        )
    return BitsAndBytesConfig(  # type: ignore[no-untyped-call]
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=load.dtype,
        llm_int8_skip_modules=list(HEADS),
    )


def _add_adapter(model: PreTrainedModel, lora: LoRA) -> PeftModel:
    config = LoraConfig(
        task_type="SEQ_CLS",
        r=lora.rank,
        lora_alpha=int(lora.alpha) if lora.alpha.is_integer() else lora.alpha,  # type: ignore[arg-type]
        lora_dropout=lora.dropout,
        target_modules=lora.target_modules or "all-linear",
        exclude_modules=list(HEADS) if not lora.target_modules else None,
    )
    try:
        adapted = get_peft_model(model, config)
    except ValueError as error:
        raise InvalidRecipe(f"spec.adapter.lora.targetModules: {_first_line(error)}") from error
    assert isinstance(adapted, PeftModel)
    return adapted


def _load_adapter(
    folder: Path, config: ScoringConfig, tokenizer: PreTrainedTokenizerBase, load: LoadOptions
) -> PreTrainedModel:
    recorded = PeftConfig.from_pretrained(str(folder)).base_model_name_or_path
    base = next((Path(p) for p in (config.base_path, recorded) if p and Path(p).is_dir()), None)
    if base is None:
        raise ModelNotFound(f"{folder}: its base model {config.base_model} is not at {config.base_path}")
    head = HeadOptions(config.names, int(tokenizer.pad_token_id), config.head_dropout)
    base_config = load_config(base, trust_remote_code=load.trust_remote_code)
    _configure_head(base_config, head)
    adapted = PeftModel.from_pretrained(_load_base(base, base_config, load), str(folder))
    return merge(adapted)


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0]
