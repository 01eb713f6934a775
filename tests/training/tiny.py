"""A tiny pretrained-looking base, rows with a signal, and recipes over them: seconds per training."""

import json
import random
from pathlib import Path
from typing import Any

import yaml

from trainjobs.core.recipe.model import Recipe

WORDS = ("good", "bad", "fine", "poor", "film", "plot", "actor", "scene", "very", "dull", "story", "the")
VALUES = {"good": 1.5, "fine": 0.8, "poor": -0.9, "bad": -1.6, "dull": -0.7}
DIMENSIONS = [
    {"name": "accuracy", "minimum": -10, "maximum": 10, "weight": 2.0},
    {"name": "depth", "minimum": -10, "maximum": 10},
]


def make_bert(folder: Path, *, dropout: float = 0.1) -> Path:
    """A BERT of two layers with random weights, the same ones every time."""
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    vocabulary = {word: index for index, word in enumerate([*special, *WORDS, *"abcdefghijklmnopqrstuvwxyz"])}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        unk_token="[UNK]",
        pad_token="[PAD]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
        model_max_length=64,
    )
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
        hidden_dropout_prob=dropout,
        attention_probs_dropout_prob=dropout,
    )
    torch.manual_seed(7)
    BertModel(config).save_pretrained(folder)
    fast.save_pretrained(folder)
    return folder


def make_rows(path: Path, count: int, *, seed: int = 1, annotators: int = 1) -> Path:
    """Sentences of 3 to 20 words; scores follow from the words, annotators differ by a little."""
    chance = random.Random(seed)
    lines = []
    for _ in range(count):
        words = [chance.choice(WORDS) for _ in range(chance.randint(3, 20))]
        value = max(-8.0, min(8.0, sum(VALUES.get(word, 0.0) for word in words)))
        given = [
            {"accuracy": round(value + chance.gauss(0, 0.3), 3), "depth": round(len(words) / 4, 3)}
            for _ in range(annotators)
        ]
        lines.append(json.dumps({"text": " ".join(words), "scores": given if annotators > 1 else given[0]}))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def make_recipe(folder: Path, base: Path, rows: Path, **changes: Any) -> Path:
    """Write a recipe whose outputs go to `folder/output`; `changes` are merged over its sections."""
    document: dict[str, Any] = {
        "run": {"kind": "RewardModelRun", "namespace": "default", "name": "tiny", "uid": "0" * 36},
        "task": "Regression",
        "model": {"uri": "file:///base"},
        "dataset": {"train": "file:///rows.jsonl", "evalFraction": 0.2, "maxLength": 32},
        "objective": {"type": "Regression", "regression": {"dimensions": DIMENSIONS}},
        "training": {
            "epochs": 2,
            "batchSizePerDevice": 8,
            "gradientAccumulationSteps": 1,
            "evalBatchSizePerDevice": 32,
            "learningRate": 1e-3,
            "logEverySteps": 1,
            "lengthGrouping": True,
        },
        "processes": {"nodes": 1, "perNode": 1},
        "checkpoints": {},
        "evaluation": {"bootstrapSamples": 20},
        "limits": {"startTimeoutSeconds": 600, "hangTimeoutSeconds": 600},
        "store": f"file://{folder}/store",
        "inputs": {
            "model": str(base),
            "tokenizer": str(base),
            "train": str(rows),
            "output": str(folder / "output"),
        },
    }
    merge(document, changes)
    Recipe.model_validate(document)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    return path


def merge(target: dict[str, Any], changes: dict[str, Any]) -> None:
    for key, value in changes.items():
        if isinstance(value, dict) and isinstance(target.get(key), dict):
            merge(target[key], value)
        else:
            target[key] = value


def train(recipe: Path) -> int:
    """Train in this process; the exit code."""
    from trainjobs.ml.training.__main__ import main

    return main([str(recipe)])


def figures(output: Path, name: str = "loss") -> dict[int, float]:
    """Step → what metrics.jsonl holds of one figure."""
    records = [json.loads(line) for line in (output / "metrics.jsonl").read_text().splitlines()]
    return {record["step"]: record["metrics"][name] for record in records if name in record["metrics"]}
