"""A tokenizer that knows more tokens than its model has rows for."""

import logging
from contextlib import AbstractContextManager, nullcontext
from typing import cast

import torch
from torch import nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase
from transformers.integrations.deepspeed import is_deepspeed_zero3_enabled

from trainjobs.errors import InvalidRecipe

_log = logging.getLogger("trainjobs.training")


def count_tokens(tokenizer: PreTrainedTokenizerBase) -> int:
    """Return how many rows a model needs for every token of a tokenizer; its ids may have gaps."""
    return max(len(tokenizer), 1 + max(tokenizer.get_vocab().values(), default=-1))


def make_room(model: PreTrainedModel, tokens: int) -> None:
    """Give the model's embedding a row for every token; new rows are the mean of the old ones.

    They are the same every time: an adapter's base, loaded again, gets what the adapter was trained over.
    InvalidRecipe where the architecture cannot be given more rows.
    """
    embedding = model.get_input_embeddings()
    plain = embedding if isinstance(embedding, nn.Embedding) else None
    rows: int = plain.num_embeddings if plain else model.config.get_text_config().vocab_size
    if tokens <= rows:
        return
    if plain is None:
        raise InvalidRecipe(
            f"spec.baseModel: the tokenizer knows {tokens} tokens, the model {rows}, and an embedding of"
            f" {model.config.model_type} cannot grow; choose the tokenizer that came with it"
        )
    # Told apart by chance, the library's rows would differ from one loading to the next.
    weight = cast(nn.Parameter, model.resize_token_embeddings(tokens, mean_resizing=False).weight)
    with torch.no_grad(), _whole(weight):
        weight[rows:] = weight[:rows].float().mean(dim=0).to(weight.dtype)
    _log.warning(
        "the tokenizer knows %d tokens, the base model %d: %d new rows, each the mean of the others",
        tokens,
        rows,
        tokens - rows,
    )


def _whole(weight: nn.Parameter) -> AbstractContextManager[object]:
    if not is_deepspeed_zero3_enabled():  # type: ignore[no-untyped-call]
        return nullcontext()
    import deepspeed

    gathered: AbstractContextManager[object] = deepspeed.zero.GatheredParameters(weight, modifier_rank=None)
    return gathered
