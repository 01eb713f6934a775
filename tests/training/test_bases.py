"""Bases that do not fit as they are: made to fit, or refused with what is wrong in them."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    BartConfig,
    BartModel,
    BertConfig,
    BertForMaskedLM,
    BertForSequenceClassification,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaModel,
)

from tests.training.tiny import make_recipe, train
from trainjobs.api.training import Adapter
from trainjobs.errors import ModelNotFound
from trainjobs.ml.modeling.adapters import Model
from trainjobs.ml.modeling.architectures import padding_token
from trainjobs.ml.modeling.base import LoadOptions
from trainjobs.ml.modeling.heads import HeadOptions
from trainjobs.ml.modeling.scorers import build_scorer, load_scorer
from trainjobs.ml.modeling.tokenizer import load_config, load_tokenizer, longest_input
from trainjobs.ml.objectives.padding import Padding
from trainjobs.ml.training.statistics import TrainingStats

HEAD = HeadOptions(["accuracy", "depth"])
LORA = {"adapter": {"type": "LoRA", "lora": {"rank": 4, "alpha": 8}}}
IDS = torch.tensor([[2, 6, 7, 3]])
SMALL: dict[str, Any] = {
    "vocab_size": 64,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
}


def build(base: Path) -> Model:
    return build_scorer(base, load_tokenizer(base), HEAD, Adapter(), LoadOptions())


@pytest.fixture
def extended(tmp_path: Path, steady_bert: Path) -> Path:
    """A base whose tokenizer got two tokens more than its embedding has rows."""
    folder = tmp_path / "extended"
    shutil.copytree(steady_bert, folder)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
    tokenizer.add_tokens(["<table>", "<figure>"])
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def weights(tmp_path: Path, bert: Path) -> Path:
    """The weights file of a base that a test may spoil."""
    shutil.copytree(bert, tmp_path / "spoilt")
    return tmp_path / "spoilt" / "model.safetensors"


@pytest.mark.parametrize("changes", [{}, LORA], ids=["whole", "adapter"])
def test_a_tokenizer_with_more_tokens_gets_rows_for_them(
    tmp_path: Path, extended: Path, changes: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    rows = tmp_path / "rows.jsonl"
    line = '{"text": "good film <table> bad <figure>%s", "scores": {"accuracy": 1, "depth": 2}}\n'
    rows.write_text("".join(line % (" film" * number) for number in range(20)))
    assert train(make_recipe(tmp_path / "run", extended, rows, **changes)) == 0
    assert (
        "the tokenizer knows 45 tokens, the base model 43: 2 new rows, each the mean of the others"
        in capsys.readouterr().out
    )
    output = tmp_path / "run" / "output"
    merged = load_scorer(output / "model")
    assert merged.model.get_input_embeddings().num_embeddings == len(merged.tokenizer) == 45
    if changes:
        adapted = load_scorer(output / "adapter").model
        ids = merged.tokenizer("good <table> <figure>", return_tensors="pt").input_ids
        with torch.no_grad():
            torch.testing.assert_close(adapted(ids).logits, merged.model(ids).logits, atol=1e-5, rtol=0)


def test_new_rows_are_the_mean_of_the_others_every_time(extended: Path) -> None:
    first, second = (build(extended).get_input_embeddings().weight for _ in range(2))
    torch.testing.assert_close(first[43:], first[:43].mean(dim=0).expand(2, -1))
    assert torch.equal(first, second)


def make_roberta(folder: Path, bert: Path, **options: Any) -> Path:
    """66 positions, of which the library uses the last 64: what comes before is the padding's."""
    torch.manual_seed(2)
    RobertaModel(RobertaConfig(**SMALL, max_position_embeddings=66, **options)).save_pretrained(folder)
    tokenizer = load_tokenizer(bert)
    tokenizer.model_max_length = 512
    tokenizer.save_pretrained(folder)
    return folder


def test_a_roberta_reads_as_many_tokens_as_it_has_positions_behind_the_padding(
    tmp_path: Path, bert: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = make_roberta(tmp_path / "roberta", bert)
    assert longest_input(load_config(base), load_tokenizer(base)) == 64
    rows = tmp_path / "rows.jsonl"
    texts = (" ".join(["good"] * (100 + number)) for number in range(20))
    lines = (json.dumps({"text": text, "scores": {"accuracy": 1, "depth": 2}}) for text in texts)
    rows.write_text("\n".join(lines))
    assert train(make_recipe(tmp_path / "run", base, rows, dataset={"maxLength": 128})) == 0
    assert "the base model reads at most 64 tokens: that is maxLength, not 128" in capsys.readouterr().out
    stats = TrainingStats.model_validate_json(
        (tmp_path / "run" / "output" / "training_stats.json").read_bytes()
    )
    assert (stats.max_length, stats.rows_cut) == (64, 20)


def test_a_roberta_keeps_the_positions_it_learned_with_a_tokenizer_that_pads_otherwise(
    tmp_path: Path, bert: Path
) -> None:
    base = make_roberta(tmp_path / "roberta", bert)
    assert load_tokenizer(base).pad_token_id == 0
    model = build(base).eval()
    assert padding_token(model.config) == 1
    with torch.no_grad():
        read = model.base_model(IDS).last_hidden_state
        learned = RobertaModel.from_pretrained(base).eval()(IDS).last_hidden_state
    assert torch.equal(read, learned)


@pytest.mark.parametrize(
    ("config", "usable"),
    [
        ({"max_position_embeddings": 100}, 100),
        ({"max_position_embeddings": 100, "rope_parameters": None}, 100),
        (
            {
                "max_position_embeddings": 100,
                "rope_parameters": {
                    "rope_type": "yarn",
                    "rope_theta": 10000.0,
                    "factor": 4.0,
                    "original_max_position_embeddings": 100,
                },
            },
            400,
        ),
    ],
)
def test_stretched_rotary_positions_count(config: dict[str, Any], usable: int) -> None:
    from transformers import Qwen2Config

    tokenizer = PreTrainedTokenizerFast.__new__(PreTrainedTokenizerFast)
    tokenizer.model_max_length = int(1e30)
    assert longest_input(Qwen2Config(**config), tokenizer) == usable


def test_a_batch_is_never_rounded_up_beyond_the_longest_text() -> None:
    padding = Padding(0, multiple=8, longest=60)
    for tokens, width in ((58, 60), (3, 8)):
        text = np.arange(tokens, dtype=np.int32)
        assert padding.inputs([text])["input_ids"].shape == (1, width)


def make_reward_model(folder: Path, bert: Path, labels: int) -> Path:
    torch.manual_seed(4)
    BertForSequenceClassification(BertConfig(**SMALL, num_labels=labels)).save_pretrained(folder)
    load_tokenizer(bert).save_pretrained(folder)
    return folder


def test_a_base_that_scores_other_dimensions_gets_a_new_head_and_says_so(
    tmp_path: Path, bert: Path, rows: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = make_reward_model(tmp_path / "base", bert, labels=5)
    assert train(make_recipe(tmp_path / "run", base, rows, training={"epochs": 1})) == 0
    assert (
        "the base model scores 5 dimensions already, this run 2: its head gives way to a new one"
        in capsys.readouterr().out
    )
    assert load_scorer(tmp_path / "run" / "output" / "model").model.config.num_labels == 2


def test_a_base_that_scores_as_many_dimensions_keeps_its_head(tmp_path: Path, bert: Path) -> None:
    base = make_reward_model(tmp_path, bert, labels=2)
    held = load_file(base / "model.safetensors")["classifier.weight"]
    assert torch.equal(build(base).classifier.weight, held)


@pytest.mark.parametrize("kind", ["pooler", "bart"])
def test_what_is_new_beside_the_head_is_kept_with_the_adapter(
    tmp_path: Path, bert: Path, rows: Path, kind: str
) -> None:
    base = tmp_path / "base"
    torch.manual_seed(6)
    if kind == "pooler":
        BertForMaskedLM(BertConfig(**SMALL)).save_pretrained(base)
    else:
        sizes = {"d_model": 32, "encoder_layers": 1, "decoder_layers": 1, "encoder_ffn_dim": 32}
        heads = {"decoder_ffn_dim": 32, "encoder_attention_heads": 2, "decoder_attention_heads": 2}
        BartModel(BartConfig(vocab_size=64, eos_token_id=3, **sizes, **heads)).save_pretrained(base)
    load_tokenizer(bert).save_pretrained(base)
    assert train(make_recipe(tmp_path / "run", base, rows, **LORA, training={"epochs": 1})) == 0
    output = tmp_path / "run" / "output"
    with torch.no_grad():
        expected = load_scorer(output / "model").model(IDS).logits
        torch.testing.assert_close(load_scorer(output / "adapter").model(IDS).logits, expected)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_number_that_is_none_in_the_weights_is_said_by_its_name(
    tmp_path: Path, weights: Path, rows: Path, value: float, capsys: pytest.CaptureFixture[str]
) -> None:
    held = load_file(weights)
    held["encoder.layer.1.output.dense.weight"][3, 5] = value
    save_file(held, weights, metadata={"format": "pt"})
    assert train(make_recipe(tmp_path / "run", weights.parent, rows)) == ModelNotFound.exit_code
    said = capsys.readouterr().err
    assert "1 of 2048 numbers of the weight bert.encoder.layer.1.output.dense.weight are NaN" in said
    assert "learningRate" not in said


def test_weights_of_a_layer_that_are_not_there_are_missed(weights: Path) -> None:
    held = load_file(weights)
    del held["encoder.layer.1.output.dense.weight"]
    save_file(held, weights, metadata={"format": "pt"})
    with pytest.raises(
        ModelNotFound, match=r"lack 1 weights .* bert\.encoder\.layer\.1\.output\.dense\.weight"
    ):
        build(weights.parent)


def test_weights_of_another_model_are_told_by_their_shape(weights: Path) -> None:
    held = load_file(weights)
    held["encoder.layer.1.output.dense.weight"] = torch.zeros(32, 16)
    save_file(held, weights, metadata={"format": "pt"})
    with pytest.raises(ModelNotFound, match=r"has the shape \[32, 16\], by config\.json \[32, 64\]"):
        build(weights.parent)


def test_a_trained_model_that_lost_its_head_is_not_given_another(
    tmp_path: Path, bert: Path, rows: Path
) -> None:
    assert train(make_recipe(tmp_path, bert, rows, training={"epochs": 1})) == 0
    file = tmp_path / "output" / "model" / "model.safetensors"
    held = load_file(file)
    del held["classifier.weight"]
    save_file(held, file, metadata={"format": "pt"})
    with pytest.raises(ModelNotFound, match=r"its weights files lack classifier\.weight"):
        load_scorer(file.parent)
