"""The tiny Qwen3 is a whole, reproducible model folder that libraries load like any other."""

import shutil
import subprocess
import sys
from pathlib import Path

import make_tiny_qwen3 as maker
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("tiny") / "tiny-qwen3"
    maker.prepare(maker.ROWS, target)
    return target


def test_another_process_makes_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "tiny-qwen3"
    subprocess.run([sys.executable, maker.__file__, "--output", str(other)], check=True, capture_output=True)
    assert {path.name for path in other.iterdir()} == {path.name for path in folder.iterdir()}
    for path in folder.iterdir():
        assert path.read_bytes() == (other / path.name).read_bytes(), path.name


def test_what_is_there_already_is_left_alone(folder: Path) -> None:
    before = (folder / "model.safetensors").stat().st_mtime_ns
    assert maker.prepare(maker.ROWS, folder).endswith("unchanged")
    assert (folder / "model.safetensors").stat().st_mtime_ns == before


def test_it_is_made_anew_when_the_rows_change(folder: Path, tmp_path: Path) -> None:
    target, rows = tmp_path / "tiny-qwen3", tmp_path / "rows.jsonl"
    shutil.copytree(folder, target)
    lines = maker.ROWS.read_text(encoding="utf-8").splitlines(keepends=True)
    rows.write_text("".join(lines[:-1]), encoding="utf-8")
    assert not maker.prepare(rows, target).endswith("unchanged")
    assert maker.prepare(rows, target).endswith("unchanged")


def test_every_report_comes_back_from_its_tokens_and_fits(folder: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    for text in maker.texts(maker.ROWS.with_name("test.jsonl")):
        tokens = tokenizer(text)["input_ids"]
        assert tokenizer.decode(tokens) == text
        assert len(tokens) < 400


def test_special_tokens_are_single_and_padding_is_not_the_end(folder: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert (tokenizer.pad_token, tokenizer.eos_token) == ("<|endoftext|>", "<|im_end|>")
    for token in ("<|endoftext|>", "<|im_start|>", "<|im_end|>"):
        assert tokenizer(token)["input_ids"] == [tokenizer.get_vocab()[token]]
    assert len(tokenizer) == maker.VOCABULARY


def test_a_conversation_is_rendered_as_chatml(folder: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    messages = [{"role": "system", "content": "规则"}, {"role": "user", "content": "数据"}]
    text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    assert (
        text
        == "<|im_start|>system\n规则<|im_end|>\n<|im_start|>user\n数据<|im_end|>\n<|im_start|>assistant\n"
    )


def test_it_loads_as_a_language_model_and_as_a_score_model(folder: Path) -> None:
    tokens = AutoTokenizer.from_pretrained(folder)("公司盈利能力改善。", return_tensors="pt")
    language = AutoModelForCausalLM.from_pretrained(folder)
    assert language(**tokens).logits.shape[-1] == maker.VOCABULARY
    assert language.config.max_position_embeddings == 4096
    scores = AutoModelForSequenceClassification.from_pretrained(
        folder, num_labels=3, problem_type="regression"
    )
    assert scores(**tokens).logits.shape == torch.Size([1, 3])


def test_making_it_leaves_the_random_state_as_it_was(tmp_path: Path) -> None:
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    maker.make(maker.ROWS, tmp_path)
    assert torch.equal(torch.rand(3), expected)
