"""What the library's architectures do that their configurations do not say."""

from typing import Final

from transformers import PreTrainedConfig

from trainjobs.errors import InvalidRecipe

PADDING_CHANGES_SCORES: Final = {
    "big_bird": "its sparse attention follows the length of the batch",
    "bigbird_pegasus": "its sparse attention follows the length of the batch",
    "canine": "it pools neighbouring characters, padding among them",
    "convbert": "its convolutions read the padding",
    "fnet": "its Fourier transform mixes the padding in",
    "funnel": "it pools neighbouring tokens, padding among them",
    "mobilebert": "it reads each token with its neighbours, padding among them",
    "mra": "its attention is approximated by the length of the batch",
    "nystromformer": "its landmarks are averages over the padding, too",
    "reformer": "its hashed attention follows the length of the batch",
    "t5gemma": "it takes another token for the last one where nothing is padded",
    "t5gemma2": "it takes another token for the last one where nothing is padded",
    "xlnet": "it scores the last position of the batch, padding or not",
    "yoso": "its hashed attention reads the padding",
}
"""Model types whose score of a text depends on the texts beside it, and why.

The tests hold this against every architecture with a sequence classification head.
"""

COUNTS_FROM_PADDING: Final = frozenset(
    {
        "camembert",
        "data2vec-text",
        "esm",
        "ibert",
        "layoutlmv3",
        "lilt",
        "longformer",
        "luke",
        "markuplm",
        "mpnet",
        "roberta",
        "roberta-prelayernorm",
        "xlm-roberta",
        "xlm-roberta-xl",
        "xmod",
    }
)
"""Model types whose first token stands at the position after the padding token's id."""


def check_padding(config: PreTrainedConfig) -> None:
    """InvalidRecipe when a score of this architecture would depend on the texts beside it."""
    why = PADDING_CHANGES_SCORES.get(config.model_type)
    if why is not None:
        raise InvalidRecipe(
            f"spec.baseModel: {config.model_type} scores a text by the texts beside it ({why});"
            " choose a base of another architecture"
        )


def settle_padding(config: PreTrainedConfig, token: int) -> None:
    """Make `token` the padding of a loaded model, in every configuration that its pooling may read.

    Pooling looks for the last token that is not padding, in composite configurations by that of the
    text model. An architecture that counts positions from its padding token keeps its own: with
    another one every token would stand where it never stood in pretraining.
    """
    if config.model_type in COUNTS_FROM_PADDING:
        return
    for part in (config, config.get_text_config()):
        part.pad_token_id = token


def padding_token(config: PreTrainedConfig) -> int:
    """Return the token that batches of a loaded model are padded with."""
    token = config.get_text_config().pad_token_id
    assert isinstance(token, int)
    return token


def usable_positions(config: PreTrainedConfig) -> int | None:
    """Return how many tokens a model has positions for; None where they are relative and have no end."""
    text = config.get_text_config()
    positions = getattr(text, "max_position_embeddings", None) or getattr(text, "max_seq_len", None)
    if positions is None or not getattr(text, "position_biased_input", True):
        return None
    if text.model_type in COUNTS_FROM_PADDING:
        return int(positions) - int(text.pad_token_id) - 1
    return max(int(positions), _stretched(text))


def _stretched(text: PreTrainedConfig) -> int:
    """How far rotary positions are stretched; many configurations say it in this place only."""
    rope = getattr(text, "rope_parameters", None) or {}
    original, factor = rope.get("original_max_position_embeddings"), rope.get("factor")
    return int(original * factor) if original and factor else 0
