"""A run's output folder as training and evaluation leave it, made of planted numbers."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from trainjobs.api.evaluation import Evaluation, Threshold
from trainjobs.api.objective import ScoreDimension
from trainjobs.core import outputs
from trainjobs.core.metrics_history import MetricRecord
from trainjobs.ml.evaluation.baselines import fit
from trainjobs.ml.evaluation.families.scores.evaluation import Judged, evaluate
from trainjobs.ml.evaluation.overall import OverallScale
from trainjobs.ml.evaluation.results import EvaluatedData, PredictedRow, write_predictions, write_result

RESUMED_FROM = 180
"""Between two records, as checkpoints mostly are."""
NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
DIMENSIONS = [
    ScoreDimension(name="accuracy", weight=0.4),
    ScoreDimension(name="professionalism", weight=0.3),
    ScoreDimension(name="depth_of_analysis", weight=0.3),
]
EXCERPT = "本季度净利率为20.82%，较上年同期提高3.26个百分点。<script>alert('不可执行')</script> & 其他"


def make_run_folder(folder: Path, *, rows: int = 900, seed: int = 0) -> Path:
    """Write the files of a run that trained for two epochs in two attempts."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    names = [dimension.name for dimension in DIMENSIONS]
    quality = rng.normal(3.2, 0.8, size=(rows, 1)) + rng.normal(0, 0.4, size=(rows, 3))
    ratings = [np.clip(row + rng.normal(0, 0.35, size=(4, 3)), 0, 5) for row in quality]
    true = np.array([row.mean(axis=0) for row in ratings])
    predicted = np.clip(0.8 * quality + 0.65 + rng.normal(0, 0.3, size=(rows, 3)), 0, 5)
    lengths = 600.0 + 80 * true[:, 0] + rng.normal(0, 150, size=rows)
    judged = Judged(true, predicted, ratings, lengths)
    settings = Evaluation(thresholds=[Threshold(metric="overall.pearson", minimum=0.7)])
    data = EvaluatedData(
        split="test",
        path="file:///data/test.jsonl",
        files={"test.jsonl": "3f" * 32},
        rows=rows,
        truncated=17,
        truncated_tokens=2210,
        dropped=0,
    )
    result = evaluate(
        judged,
        DIMENSIONS,
        settings=settings,
        seed=seed,
        data=data,
        model="hf://Qwen/Qwen2.5-7B",
        baselines=fit(names, true[: rows // 2], lengths[: rows // 2]),
        now=NOW,
    )
    write_result(folder / outputs.EVALUATION, result)
    write_predictions(folder / outputs.PREDICTIONS, _predictions(judged, names))
    (folder / outputs.METRICS).write_text("".join(_history(rng)), encoding="utf-8")
    stats = {"steps": 300, "seconds": 812.5, "trainRows": 4800, "averageLoss": 0.41, "blockedSeconds": 1.2}
    (folder / outputs.STATS).write_text(json.dumps(stats))
    environment = {
        "python": "3.11",
        "versions": {"torch": "2.15.0"},
        "data": {"train.jsonl": "sha256:" + "ab" * 32},
    }
    (folder / outputs.ENVIRONMENT).write_text(json.dumps(environment))
    return folder


def _predictions(judged: Judged, names: list[str]) -> list[PredictedRow]:
    scale = OverallScale.of(DIMENSIONS)
    true, predicted = scale.overall(judged.true), scale.overall(judged.predicted)
    return [
        PredictedRow(
            where=f"test.jsonl line {index + 1}",
            true={"overall": true[index], **dict(zip(names, judged.true[index], strict=True))},
            predicted={"overall": predicted[index], **dict(zip(names, judged.predicted[index], strict=True))},
            characters=int(judged.lengths[index]),
            tokens=int(judged.lengths[index]) // 2,
            truncated_tokens=0,
            excerpt=EXCERPT,
        )
        for index in range(len(true))
    ]


def _history(rng: np.random.Generator) -> list[str]:
    lines = []
    for step in range(5, 301, 3):
        attempt = 1 if step <= RESUMED_FROM else 2
        rate = 1e-5 * min(step / 30, (300 - step) / 270 + 0.01)
        metrics = {
            "loss": 0.25 + 0.75 * np.exp(-step / 60) + rng.normal(0, 0.03),
            "learning_rate": rate,
            "grad_norm": 1.0 + abs(rng.normal(0, 0.4)),
        }
        if step % 5 == 0:
            metrics |= {
                "eval_loss": 0.3 + 0.7 * np.exp(-step / 55),
                "eval_pearson": 0.85 - 0.6 * np.exp(-step / 50),
            }
        record = MetricRecord(
            step=step,
            epoch=step / 150,
            time=NOW + timedelta(seconds=step),
            attempt=attempt,
            metrics=metrics,
            resumed_from=RESUMED_FROM if step == 182 else None,
        )
        lines.append(record.model_dump_json(by_alias=True) + "\n")
    return lines
