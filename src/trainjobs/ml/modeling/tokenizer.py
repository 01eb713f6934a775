"""Loading tokenizers so that every model has a padding token."""

from pathlib import Path

from transformers import AutoConfig, AutoTokenizer, PreTrainedConfig, PreTrainedTokenizerBase

from trainjobs.errors import InvalidRecipe, ModelNotFound
from trainjobs.ml.modeling.architectures import check_padding, usable_positions

_NO_LIMIT = 1_000_000
"""Tokenizers without a longest length claim an astronomic one."""


def load_tokenizer(folder: Path, *, trust_remote_code: bool = False) -> PreTrainedTokenizerBase:
    """Load the tokenizer of a model's folder and see to its padding token.

    Models whose tokenizer has none pad with the end-of-text token: pooling looks for the last
    token that is not padding, and the attention mask hides the rest.
    """
    if not folder.is_dir():
        raise ModelNotFound(f"{folder} is not there: a tokenizer's folder is needed")
    try:
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
            folder, trust_remote_code=trust_remote_code, local_files_only=True
        )
    except (OSError, ValueError) as error:
        raise ModelNotFound(f"{folder}: no tokenizer could be loaded: {_first_line(error)}") from error
    if len(tokenizer) <= len(tokenizer.all_special_ids):
        # Without its files the library makes one that knows no word, and says nothing.
        raise ModelNotFound(
            f"{folder}: holds no tokenizer (tokenizer.json, vocab.txt, tokenizer.model …); "
            "put it there, or name its folder in spec.baseModel.tokenizerUri"
        )
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token
    if tokenizer.pad_token_id is None:
        raise InvalidRecipe(f"{folder}: the tokenizer has neither a padding nor an end token; add one to it")
    return tokenizer


def load_config(folder: Path, *, trust_remote_code: bool = False) -> PreTrainedConfig:
    """Load a model's configuration.

    Raises:
        ModelNotFound: it is not there, or cannot be read; names the folder.
        InvalidRecipe: no text could be scored alike alone and beside others.
    """
    if not (folder / "config.json").is_file():
        raise ModelNotFound(f"{folder} holds no config.json: give the folder of a Hugging Face model")
    try:
        config: PreTrainedConfig = AutoConfig.from_pretrained(
            folder, trust_remote_code=trust_remote_code, local_files_only=True
        )
    except (OSError, ValueError) as error:
        raise ModelNotFound(f"{folder}: {_first_line(error)}") from error
    check_padding(config)
    return config


def longest_input(config: PreTrainedConfig, tokenizer: PreTrainedTokenizerBase) -> int | None:
    """Return how many tokens a model should read at most, or None where nothing limits it.

    The model's positions are one limit, what its authors say of the tokenizer another; the smaller counts.
    """
    limits = [usable_positions(config), tokenizer.model_max_length]
    real = [int(limit) for limit in limits if limit and limit < _NO_LIMIT]
    return min(real, default=None)


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0]
