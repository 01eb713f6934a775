"""Models that put a few numbers on a text: a pretrained base with a linear head, one output per number.

Models are the library's own `AutoModelForSequenceClassification` with
`problem_type="regression"`: without it, float labels of several dimensions are taken for
multi-label classification and trained with binary cross-entropy.
"""

from dataclasses import dataclass
from pathlib import Path

from peft import PeftConfig, PeftModel
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from trainjobs.api.training import Adapter
from trainjobs.errors import ModelNotFound
from trainjobs.ml.modeling.adapters import Model, adapted, merge
from trainjobs.ml.modeling.architectures import settle_padding
from trainjobs.ml.modeling.base import Base, LoadOptions, load_base
from trainjobs.ml.modeling.cards import CARD_FILE, Card, load_card
from trainjobs.ml.modeling.heads import HeadOptions, add_head_dropout, configure_head
from trainjobs.ml.modeling.tokenizer import load_config, load_tokenizer
from trainjobs.ml.modeling.vocabulary import count_tokens, make_room


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """A trained model with all it needs to score."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    card: Card


def build_scorer(
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
    _drop_out(base.model, head.dropout)
    return adapted(base.model, adapter, fresh=base.fresh, task="SEQ_CLS")


def load_scorer(folder: Path, *, trust_remote_code: bool = False) -> TrainedModel:
    """Load a model that training left: a `model` folder, or an `adapter` folder beside its base.

    An adapter is merged into its base. The model comes in evaluation mode, in float32, on the CPU.
    """
    card = load_card(folder)
    tokenizer = load_tokenizer(folder, trust_remote_code=trust_remote_code)
    load = LoadOptions(trust_remote_code=trust_remote_code)
    if (folder / "adapter_config.json").is_file():
        model = _load_adapter(folder, card, tokenizer, load)
    else:
        model = _load_whole(folder, card, load)
    _drop_out(model, card.head_dropout)
    model.train(mode=False)
    return TrainedModel(model, tokenizer, card)


def _drop_out(model: PreTrainedModel, dropout: float | None) -> None:
    if dropout is not None and not hasattr(model.config, "classifier_dropout"):
        add_head_dropout(model, dropout)


def _base_for(folder: Path, tokenizer: PreTrainedTokenizerBase, head: HeadOptions, load: LoadOptions) -> Base:
    config = load_config(folder, trust_remote_code=load.trust_remote_code)
    configure_head(config, head)
    base = load_base(folder, config, load)
    make_room(base.model, count_tokens(tokenizer))
    settle_padding(base.model.config, int(tokenizer.pad_token_id))
    return base


def _load_whole(folder: Path, card: Card, load: LoadOptions) -> PreTrainedModel:
    base = load_base(folder, load_config(folder, trust_remote_code=load.trust_remote_code), load)
    if base.fresh:
        raise ModelNotFound(
            f"{folder}: its weights files lack {min(base.fresh)}; fetch the model again, or train it"
        )
    if base.model.config.num_labels != len(card.names):
        raise ModelNotFound(
            f"{folder}: {CARD_FILE} names {len(card.names)} outputs, and the model has"
            f" {base.model.config.num_labels}; fetch both from the same model"
        )
    return base.model


def _load_adapter(
    folder: Path, card: Card, tokenizer: PreTrainedTokenizerBase, load: LoadOptions
) -> PreTrainedModel:
    recorded = PeftConfig.from_pretrained(str(folder)).base_model_name_or_path
    base = next((Path(p) for p in (card.base_path, recorded) if p and Path(p).is_dir()), None)
    if base is None:
        raise ModelNotFound(f"{folder}: its base model {card.base_model} is not at {card.base_path}")
    head = HeadOptions(card.names, card.head_dropout)
    return merge(PeftModel.from_pretrained(_base_for(base, tokenizer, head, load).model, str(folder)))
