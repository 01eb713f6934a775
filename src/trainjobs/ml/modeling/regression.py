"""Reward models that predict named scores: a pretrained base with a linear head, one output per dimension.

Models are the library's own `AutoModelForSequenceClassification` with
`problem_type="regression"`: without it, float labels of several dimensions are taken for
multi-label classification and trained with binary cross-entropy.
"""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from peft import LoraConfig, PeftConfig, PeftModel, get_peft_model, prepare_model_for_kbit_training
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from trainjobs.api.training import Adapter, LoRA
from trainjobs.errors import InvalidRecipe, ModelNotFound
from trainjobs.ml.modeling.architectures import settle_padding
from trainjobs.ml.modeling.base import Base, LoadOptions, load_base
from trainjobs.ml.modeling.heads import (
    HEADS,
    HeadOptions,
    add_head_dropout,
    configure_head,
    head_names,
    is_head,
)
from trainjobs.ml.modeling.scoring_config import SCORING_CONFIG, ScoringConfig
from trainjobs.ml.modeling.tokenizer import load_config, load_tokenizer
from trainjobs.ml.modeling.vocabulary import count_tokens, make_room

Model = PreTrainedModel | PeftModel
_SAVED_ANYWAY = ("classifier", "score")
"""What the adapter's library adds to the modules that are trained in full."""


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """A trained reward model with all it needs to score."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    config: ScoringConfig


def build_model(
    folder: Path,
    tokenizer: PreTrainedTokenizerBase,
    head: HeadOptions,
    adapter: Adapter,
    load: LoadOptions,
) -> Model:
    """Load a base model from `folder`, with a head and, where asked for, an adapter to train.

    Weights without a place in the base (the head) are new, from torch's generator: seed it first.
    ModelNotFound when a file of the model is missing or damaged; InvalidRecipe when the
    architecture has no sequence classification, or the machine cannot quantize.
    """
    base = _base_for(folder, tokenizer, head, load)
    model = base.model
    if head.dropout is not None and not hasattr(model.config, "classifier_dropout"):
        add_head_dropout(model, head.dropout)
    if adapter.type == "None":
        return model
    if adapter.type == "QLoRA":
        model = prepare_model_for_kbit_training(  # type: ignore[no-untyped-call]
            model, use_gradient_checkpointing=False
        )
    return _add_adapter(model, adapter.lora or LoRA(), base.fresh)


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
        model = _load_whole(folder, config, load)
    if config.head_dropout is not None and not hasattr(model.config, "classifier_dropout"):
        add_head_dropout(model, config.head_dropout)
    model.train(mode=False)
    return TrainedModel(model, tokenizer, config)


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


def _base_for(folder: Path, tokenizer: PreTrainedTokenizerBase, head: HeadOptions, load: LoadOptions) -> Base:
    config = load_config(folder, trust_remote_code=load.trust_remote_code)
    configure_head(config, head)
    base = load_base(folder, config, load)
    make_room(base.model, count_tokens(tokenizer))
    settle_padding(base.model.config, int(tokenizer.pad_token_id))
    return base


def _add_adapter(model: PreTrainedModel, lora: LoRA, fresh: Collection[str]) -> PeftModel:
    # What is new is trained in full, and kept beside the adapter: a base loaded again holds other numbers.
    new = sorted({name.rpartition(".")[0] for name in fresh if not is_head(name)} | set(head_names(model)))
    config = LoraConfig(
        task_type="SEQ_CLS",
        r=lora.rank,
        lora_alpha=int(lora.alpha) if lora.alpha.is_integer() else lora.alpha,  # type: ignore[arg-type]
        lora_dropout=lora.dropout,
        target_modules=lora.target_modules or "all-linear",
        exclude_modules=[*HEADS, *new] if not lora.target_modules else None,
        modules_to_save=[name for name in new if name not in _SAVED_ANYWAY],
    )
    try:
        adapted = get_peft_model(model, config)
    except ValueError as error:
        raise InvalidRecipe(f"spec.adapter.lora.targetModules: {_first_line(error)}") from error
    assert isinstance(adapted, PeftModel)
    return adapted


def _load_whole(folder: Path, config: ScoringConfig, load: LoadOptions) -> PreTrainedModel:
    base = load_base(folder, load_config(folder, trust_remote_code=load.trust_remote_code), load)
    if base.fresh:
        raise ModelNotFound(
            f"{folder}: its weights files lack {min(base.fresh)}; fetch the model again, or train it"
        )
    if base.model.config.num_labels != len(config.names):
        raise ModelNotFound(
            f"{folder}: {SCORING_CONFIG} names {len(config.names)} dimensions, and the model puts out"
            f" {base.model.config.num_labels}; fetch both from the same model"
        )
    return base.model


def _load_adapter(
    folder: Path, config: ScoringConfig, tokenizer: PreTrainedTokenizerBase, load: LoadOptions
) -> PreTrainedModel:
    recorded = PeftConfig.from_pretrained(str(folder)).base_model_name_or_path
    base = next((Path(p) for p in (config.base_path, recorded) if p and Path(p).is_dir()), None)
    if base is None:
        raise ModelNotFound(f"{folder}: its base model {config.base_model} is not at {config.base_path}")
    head = HeadOptions(config.names, config.head_dropout)
    adapted = PeftModel.from_pretrained(_base_for(base, tokenizer, head, load).model, str(folder))
    return merge(adapted)


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0]
