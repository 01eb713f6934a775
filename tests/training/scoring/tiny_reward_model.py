"""A reward model of a few thousand random weights, with a tokenizer of characters, made in a second."""

from collections.abc import Sequence
from pathlib import Path

import torch
from tokenizers import Regex, Tokenizer, models, pre_tokenizers, processors
from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

from trainjobs.api.objective import ScoreDimension
from trainjobs.ml.data.columns import PARTS, Part
from trainjobs.ml.data.text import DEFAULT_TEMPLATE
from trainjobs.ml.modeling.cards import Normalization, RegressionCard

CHARACTERS = (
    "abcdefghijklmnopqrstuvwxyz0123456789.,:<>/_{}\"' \n净利率为较上年同期提高营业收入报告数据财务分析师"
)
DIMENSIONS = (
    ScoreDimension(name="accuracy", weight=2.0),
    ScoreDimension(name="professionalism", weight=1.0),
    ScoreDimension(name="depth_of_analysis", weight=1.0),
)


def make_tokenizer() -> PreTrainedTokenizerFast:
    """One token per character."""
    vocabulary = {
        token: index
        for index, token in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *dict.fromkeys(CHARACTERS)])
    }
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]"
    )


def make_reward_model(
    folder: Path,
    *,
    dimensions: Sequence[ScoreDimension] = DIMENSIONS,
    parts: Sequence[Part] = PARTS,
    max_length: int = 1000,
    seed: int = 0,
) -> Path:
    """Write a model folder as training leaves it; its scores spread over the dimensions' ranges."""
    tokenizer = make_tokenizer()
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=1024,
        num_labels=len(dimensions),
        problem_type="regression",
        pad_token_id=tokenizer.pad_token_id,
    )
    torch.manual_seed(seed)
    model = BertForSequenceClassification(config)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.mul_(6.0)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    RegressionCard(
        dimensions=list(dimensions),
        normalization=Normalization(
            kind="Range",
            center=[
                dimension.minimum + 0.5 * (dimension.maximum - dimension.minimum) for dimension in dimensions
            ],
            scale=[dimension.maximum - dimension.minimum for dimension in dimensions],
        ),
        template=DEFAULT_TEMPLATE,
        parts=list(parts),
        max_length=max_length,
        overlong="Truncate",
        base_model="file:///tiny",
    ).save(folder)
    return folder
