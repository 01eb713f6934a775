"""Makes a tiny Qwen3 with random weights and a tokenizer trained on the synthetic reports.

    python examples/reward-model/make_tiny_qwen3.py

It fills `inputs/tiny-qwen3` beside itself, which git ignores, in a few seconds on one core. The folder
loads with `from_pretrained` like any Qwen3 and has the same parts: a byte-level BPE tokenizer, the
ChatML template, `<|im_end|>` to end a turn and `<|endoftext|>` to pad. It knows nothing yet: it is
there to run every step of a decoder's training on a machine without an accelerator. The same
versions of torch, tokenizers and transformers give the same bytes.
"""

import interpreter

# isort: split
import argparse
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

HERE = Path(__file__).resolve().parent
ROWS = HERE / "financial-reports" / "train.jsonl"
TARGET = HERE / "inputs" / "tiny-qwen3"

SEED = 20
VOCABULARY = 3072
"""Entries of the tokenizer and of the embedding; the rows give no more than about 3,300 merges."""
PAD, START, END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
CHATML = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
_MADE_FROM = "made_from.json"


def texts(rows: Path) -> Iterator[str]:
    """Yield the texts of every row: what the model reads, but no scores."""
    for line in rows.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        yield row["system_prompt"]
        yield json.dumps(row["input_data"], ensure_ascii=False)
        yield row["report"]


def train_tokenizer(rows: Path) -> "PreTrainedTokenizerBase":
    """Return a tokenizer of Qwen's kind (byte-level BPE, digit by digit) with VOCABULARY entries."""
    from tokenizers import pre_tokenizers, trainers
    from transformers import Qwen2Tokenizer

    blank = Qwen2Tokenizer(vocab={}, merges=[])
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[PAD, START, END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    backend = blank.backend_tokenizer
    backend.train_from_iterator(texts(rows), trainer)
    model = json.loads(backend.to_str())["model"]
    # The tokenizers library takes tuples, though its own JSON and the annotation say otherwise.
    merges: Any = [tuple(pair) for pair in model["merges"]]
    tokenizer = Qwen2Tokenizer(
        vocab=model["vocab"],
        merges=merges,
        eos_token=END,
        pad_token=PAD,
        unk_token=PAD,
        additional_special_tokens=[START],
        model_max_length=4096,
    )
    tokenizer.chat_template = CHATML
    return tokenizer


def make(rows: Path, folder: Path) -> int:
    """Write model and tokenizer into an existing folder; return the number of parameters."""
    import torch
    from transformers import Qwen3Config, Qwen3ForCausalLM
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    tokenizer = train_tokenizer(rows)
    ids = tokenizer.get_vocab()
    config = Qwen3Config(
        vocab_size=VOCABULARY,
        hidden_size=96,
        intermediate_size=256,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=24,
        max_position_embeddings=4096,
        tie_word_embeddings=True,
        pad_token_id=ids[PAD],
        eos_token_id=ids[END],
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        model = Qwen3ForCausalLM(config)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return model.num_parameters()


def made_from(rows: Path) -> dict[str, str]:
    """Return what the outcome depends on: the rows, this script, and the libraries' versions."""
    packages = ("tokenizers", "torch", "transformers")
    return {
        "rows": hashlib.sha256(rows.read_bytes()).hexdigest(),
        "script": hashlib.sha256(Path(__file__).read_bytes()).hexdigest(),
        **{package: metadata.version(package) for package in packages},
    }


def prepare(rows: Path, target: Path) -> str:
    """Make the model unless it is there already, made from the same things; return a line to print."""
    record = target / _MADE_FROM
    if record.is_file() and json.loads(record.read_text(encoding="utf-8")) == made_from(rows):
        return f"{target}: unchanged"
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as temporary:
        folder = Path(temporary) / target.name
        folder.mkdir()
        parameters = make(rows, folder)
        (folder / _MADE_FROM).write_text(json.dumps(made_from(rows), indent=2) + "\n", encoding="utf-8")
        shutil.rmtree(target, ignore_errors=True)
        folder.replace(target)
    return f"{target}: {parameters:,} parameters, {VOCABULARY:,} tokens"


def main(arguments: Sequence[str] | None = None) -> int:
    interpreter.need("tokenizers", "torch", "transformers")
    parser = argparse.ArgumentParser(description="Make a tiny Qwen3 for financial-reports.yaml.")
    parser.add_argument("--output", type=Path, default=TARGET, help="folder to write (default: %(default)s)")
    options = parser.parse_args(arguments)
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    print(prepare(ROWS, options.output))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
