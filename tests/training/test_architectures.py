"""A score never depends on the texts beside it, whatever the architecture."""

import re
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, models
from torch import nn
from transformers import AutoModelForSequenceClassification, PreTrainedModel, PreTrainedTokenizerFast

from tests.training.architectures import (
    BASE_PADDING,
    END,
    MODEL_TYPES,
    NOT_MADE,
    POSITIONS,
    VOCABULARY,
    make_base,
    spread,
)
from trainjobs.api.objective import ScoreDimension
from trainjobs.api.training import Adapter
from trainjobs.errors import InvalidRecipe
from trainjobs.ml.modeling.architectures import PADDING_CHANGES_SCORES, settle_padding
from trainjobs.ml.modeling.base import LoadOptions
from trainjobs.ml.modeling.cards import Normalization, RegressionCard
from trainjobs.ml.modeling.heads import HeadOptions
from trainjobs.ml.modeling.scorers import build_scorer, load_scorer
from trainjobs.ml.modeling.tokenizer import longest_input
from trainjobs.ml.scoring.prediction import predict

PADDING = 5
HEAD = HeadOptions(["accuracy", "depth"])
CLAMPS = {"tapas"}
"""Takes the last position for all that come after it."""
WITHOUT_ATTENTION = {"mra"}
"""Without its CUDA kernel the library computes no attention for it, and no token depends on another."""
SCORED = [name for name in MODEL_TYPES if name not in {*NOT_MADE, *PADDING_CHANGES_SCORES}]


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    """Pads with another token than the bases do, and on the side that we do not."""
    words = {f"word{index}": index for index in range(VOCABULARY)}
    return PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(models.WordLevel(words, unk_token="word4")),
        unk_token="word4",
        pad_token=f"word{PADDING}",
        padding_side="left",
    )


def text(length: int) -> list[int]:
    """Words, the one end that some architectures look for, and last what the base takes for padding."""
    return [6 + index * 7 % 50 for index in range(length - 2)] + [END, BASE_PADDING]


def scores(model: PreTrainedModel, *lengths: int, together: bool) -> torch.Tensor:
    texts = [text(length) for length in lengths]
    return torch.tensor(predict(model, texts, batch_size=len(texts) if together else 1))


def has_position_table(model: PreTrainedModel) -> bool:
    return any(
        isinstance(module, nn.Embedding) and re.search(r"position|wpe", name)
        for name, module in model.named_modules()
        if "vision" not in name
    )


@pytest.mark.parametrize("model_type", SCORED)
def test_a_text_scores_alone_as_beside_others(
    tmp_path: Path, tokenizer: PreTrainedTokenizerFast, model_type: str
) -> None:
    base = tmp_path / "base"
    config = make_base(model_type, base)
    usable = longest_input(config, tokenizer)
    longest = usable or POSITIONS + 40
    model = build_scorer(base, tokenizer, HEAD, Adapter(), LoadOptions())
    assert isinstance(model, PreTrainedModel)
    spread(model.eval())
    alone = scores(model, 3, 21, longest, together=False)
    assert alone.std() > 1e-3
    assert alone.abs().max() < 10
    torch.testing.assert_close(scores(model, 3, 21, longest, together=True), alone, atol=1e-5, rtol=0)
    if has_position_table(model) and usable and model_type not in CLAMPS:
        with pytest.raises((IndexError, RuntimeError, ValueError)):
            predict(model, [[*text(usable)[:-1], 7, END]], batch_size=1)

    folder = tmp_path / "model"
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    RegressionCard(
        dimensions=[ScoreDimension(name=name) for name in HEAD.names],
        normalization=Normalization(kind="None", center=[0, 0], scale=[1, 1]),
        template="",
        parts=["text"],
        max_length=longest,
        overlong="Truncate",
        base_model="file:///base",
    ).save(folder)
    again = load_scorer(folder).model
    torch.testing.assert_close(scores(again, 3, 21, longest, together=True), alone, atol=1e-5, rtol=0)


@pytest.mark.parametrize("model_type", PADDING_CHANGES_SCORES)
def test_an_architecture_whose_scores_would_depend_on_others_is_refused(
    tmp_path: Path, tokenizer: PreTrainedTokenizerFast, model_type: str
) -> None:
    make_base(model_type, tmp_path)
    with pytest.raises(InvalidRecipe, match=f"{model_type} scores a text by the texts beside it"):
        build_scorer(tmp_path, tokenizer, HEAD, Adapter(), LoadOptions())
    if model_type in WITHOUT_ATTENTION:
        return
    model = AutoModelForSequenceClassification.from_pretrained(tmp_path)
    spread(model.eval())
    settle_padding(model.config, PADDING)
    difference = scores(model, 33, 100, together=True) - scores(model, 33, 100, together=False)
    assert difference.abs().max() > 1e-4


@pytest.mark.parametrize("model_type", NOT_MADE)
def test_an_architecture_that_is_left_out_cannot_be_made(tmp_path: Path, model_type: str) -> None:
    with pytest.raises(ImportError):
        make_base(model_type, tmp_path)
