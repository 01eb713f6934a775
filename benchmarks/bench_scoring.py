"""Texts a second: `RewardModel.score`, against a plain loop over transformers' text-classification pipeline.

Both sides score the same real sentences with the same weights, and have to agree. The loop hands the
pipeline one text after the other, as most scripts do; the third side gives the pipeline batches, unsorted.

    python benchmarks/bench_scoring.py --texts 600 --rounds 5
"""

import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from measuring import ENCODER, RATINGS, arguments, machine, prepare_ratings, spread
from transformers import pipeline

from trainjobs import RewardModel
from trainjobs.api.objective import ScoreDimension
from trainjobs.api.training import Adapter
from trainjobs.ml.modeling.base import LoadOptions
from trainjobs.ml.modeling.cards import Normalization, RegressionCard
from trainjobs.ml.modeling.heads import HeadOptions
from trainjobs.ml.modeling.scorers import build_scorer
from trainjobs.ml.modeling.tokenizer import load_tokenizer
from trainjobs.ml.silence import silence

BATCH = 32
MAX_LENGTH = 64
Side = Callable[[list[str]], list[float]]


def make_model(folder: Path) -> Path:
    """The example's encoder with a head that nobody trained: as fast as a trained one."""
    tokenizer = load_tokenizer(ENCODER)
    torch.manual_seed(0)
    head = HeadOptions(["sentiment"])
    build_scorer(ENCODER, tokenizer, head, Adapter(), LoadOptions()).save_pretrained(str(folder))
    tokenizer.save_pretrained(folder)
    RegressionCard(
        dimensions=[ScoreDimension(name="sentiment", minimum=-4, maximum=4)],
        normalization=Normalization(kind="None", center=[0.0], scale=[1.0]),
        template="{report}",
        parts=["text"],
        max_length=MAX_LENGTH,
        overlong="Truncate",
        base_model=ENCODER.as_uri(),
    ).save(folder)
    return folder


def sides(folder: Path) -> dict[str, Side]:
    """Name → how that side scores texts."""
    model = RewardModel.load(folder, device="cpu")
    classify = pipeline("text-classification", model=str(folder), device="cpu", function_to_apply="none")
    limits = {"truncation": True, "max_length": MAX_LENGTH}
    return {
        "RewardModel.score": lambda texts: [
            score.raw_scores["sentiment"] for score in model.score(texts, batch_size=BATCH)
        ],
        "pipeline, a plain loop": lambda texts: [classify(text, **limits)[0]["score"] for text in texts],
        f"pipeline, batch_size={BATCH}": lambda texts: [
            one["score"] for one in classify(texts, batch_size=BATCH, **limits)
        ],
    }


def measure(texts: list[str], rounds: int) -> dict[str, list[float]]:
    """Side → texts a second in each round; a round has all sides: what disturbs one, disturbs all."""
    with tempfile.TemporaryDirectory() as folder:
        compared = sides(make_model(Path(folder) / "model"))
        expected = torch.tensor(compared["RewardModel.score"](texts))
        for name, score in compared.items():
            difference = float((torch.tensor(score(texts[:BATCH])) - expected[:BATCH]).abs().max())
            assert difference < 1e-4, f"{name} gives other scores: they differ by {difference}"
        rates: dict[str, list[float]] = {name: [] for name in compared}
        for _ in range(rounds):
            for name, score in compared.items():
                begun = time.perf_counter()
                score(texts)
                rates[name].append(len(texts) / (time.perf_counter() - begun))
        return rates


def main() -> None:
    parser = arguments(__doc__, rounds=5)
    parser.add_argument("--texts", type=int, default=600)
    given = parser.parse_args()
    silence()
    prepare_ratings()
    lines = (RATINGS / "train.jsonl").read_text(encoding="utf-8").splitlines()[: given.texts]
    texts = [json.loads(line)["text"] for line in lines]
    size = machine()
    ours, *others = measure(texts, given.rounds).items()
    print(f"{len(texts)} sentences, {given.rounds} rounds, {torch.get_num_threads()} threads; {size}")
    print(f"{'':26}{'texts/s: median (lowest…highest)':38}RewardModel.score is faster by")
    print(f"{ours[0]:26}{spread(ours[1], '.0f')}")
    for name, rates in others:
        ratios = [mine / theirs for mine, theirs in zip(ours[1], rates, strict=True)]
        print(f"{name:26}{spread(rates, '.0f'):38}{spread(ratios, '.2f')}")


if __name__ == "__main__":
    main()
