"""Bases of both kinds, whole and adapted, come back from their folders as they were."""

import json
import pickle
import shutil
from pathlib import Path

import pytest
import torch

from tests.training.tiny import figures, make_recipe, train
from trainjobs.api.training import Adapter
from trainjobs.errors import InvalidRecipe, ModelNotFound
from trainjobs.ml.modeling.adapters import Model
from trainjobs.ml.modeling.base import LoadOptions
from trainjobs.ml.modeling.heads import HeadOptions, find_head
from trainjobs.ml.modeling.scorers import build_scorer, load_scorer
from trainjobs.ml.modeling.tokenizer import load_tokenizer
from trainjobs.ml.training.statistics import TrainingStats

HEAD = HeadOptions(["accuracy", "depth"], dropout=0.5)
INPUTS = {"input_ids": torch.tensor([[2, 6, 7, 3], [2, 9, 3, 0]])}
INPUTS["attention_mask"] = (INPUTS["input_ids"] != 0).long()


def build(base: Path, adapter: Adapter | None = None, head: HeadOptions = HEAD) -> Model:
    return build_scorer(base, load_tokenizer(base), head, adapter or Adapter(), LoadOptions())


@pytest.fixture(scope="module")
def decoder(tmp_path_factory: pytest.TempPathFactory, bert: Path) -> Path:
    """A tiny Qwen3 whose tokenizer has no padding token."""
    from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3Model

    folder = tmp_path_factory.mktemp("decoder")
    config = Qwen3Config(
        vocab_size=64,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=16,
        max_position_embeddings=128,
        pad_token_id=None,
    )
    torch.manual_seed(3)
    Qwen3Model(config).save_pretrained(folder)
    backend = PreTrainedTokenizerFast.from_pretrained(bert).backend_tokenizer
    PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="[SEP]", unk_token="[UNK]").save_pretrained(
        folder
    )
    return folder


def test_a_decoder_without_padding_token_pads_with_its_end(decoder: Path) -> None:
    tokenizer = load_tokenizer(decoder)
    assert tokenizer.pad_token == tokenizer.eos_token == "[SEP]"


def test_head_dropout_of_a_decoder_works_in_training_only(decoder: Path) -> None:
    model = build(decoder)
    model.eval()
    assert torch.equal(model(**INPUTS).logits, model(**INPUTS).logits)
    find_head(model).train()
    assert not torch.equal(model(**INPUTS).logits, model(**INPUTS).logits)


@pytest.mark.parametrize(
    ("kind", "layers"),
    [
        ("decoder", {f"{name}_proj" for name in ("q", "k", "v", "o", "gate", "up", "down")}),
        ("bert", {"query", "key", "value", "dense"}),
    ],
)
def test_a_base_is_adapted_merged_and_resumed(
    tmp_path: Path, request: pytest.FixtureRequest, rows: Path, kind: str, layers: set[str]
) -> None:
    base: Path = request.getfixturevalue(kind)
    changes = {
        "adapter": {"type": "LoRA", "lora": {"rank": 4, "alpha": 8, "dropout": 0.1}},
        "training": {"epochs": 2, "gradientCheckpointing": True},
    }
    assert train(make_recipe(tmp_path, base, rows, **changes)) == 0
    output = tmp_path / "output"
    adapter = json.loads((output / "adapter" / "adapter_config.json").read_text())
    assert adapter["modules_to_save"] == ["classifier", "score"]
    assert {name.rsplit(".", 1)[-1] for name in adapter["target_modules"]} == layers
    stats = TrainingStats.model_validate_json((output / "training_stats.json").read_bytes())
    assert 0 < stats.trainable_parameters < stats.parameters / 2
    merged, adapted = load_scorer(output / "model"), load_scorer(output / "adapter")
    with torch.no_grad():
        expected = merged.model(**INPUTS).logits
        assert torch.allclose(adapted.model(**INPUTS).logits, expected, atol=1e-6)
    uninterrupted = figures(output)
    resume = {"resumeFrom": str(output / "checkpoint-8")}
    assert train(make_recipe(tmp_path, base, rows, **changes, inputs=resume)) == 0
    assert figures(output) == uninterrupted


def test_weights_that_carry_code_are_refused_and_the_code_does_not_run(tmp_path: Path, bert: Path) -> None:
    ran = tmp_path / "ran"

    class Evil:
        def __reduce__(self):
            return (Path.touch, (ran,))

    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text((bert / "config.json").read_text())
    torch.save({"bert.weight": Evil()}, folder / "pytorch_model.bin", pickle_module=pickle)
    with pytest.raises(ModelNotFound, match="convert it to safetensors"):
        build_scorer(folder, load_tokenizer(bert), HEAD, Adapter(), LoadOptions())
    assert not ran.exists()


def test_a_base_model_that_is_not_there_is_named(tmp_path: Path, bert: Path) -> None:
    with pytest.raises(ModelNotFound, match=r"holds no config\.json"):
        build_scorer(tmp_path, load_tokenizer(bert), HEAD, Adapter(), LoadOptions())


def test_a_damaged_weights_file_is_named_with_what_to_do(tmp_path: Path, bert: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(bert, folder)
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:2000])
    with pytest.raises(ModelNotFound, match=r"damaged or cut off .* fetch it again"):
        build(folder)


def test_a_model_without_its_tokenizer_is_refused(tmp_path: Path, bert: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(bert, folder)
    for file in folder.glob("tokenizer*"):
        file.unlink()
    with pytest.raises(ModelNotFound, match="tokenizer"):
        load_tokenizer(folder)


def test_qlora_without_its_library_says_what_to_install(bert: Path) -> None:
    with pytest.raises(InvalidRecipe, match="QLoRA needs bitsandbytes"):
        build_scorer(bert, load_tokenizer(bert), HEAD, Adapter(type="QLoRA"), LoadOptions(quantization="NF4"))
