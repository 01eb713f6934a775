"""Evaluate a trained model on a data file: what `trainjobs evaluate` does."""

from datetime import UTC, datetime
from pathlib import Path

from trainjobs.api.dataset import Dataset
from trainjobs.api.evaluation import Evaluation
from trainjobs.core.uris import file_uri
from trainjobs.ml.data.formats.scored_reader import ScoredReader
from trainjobs.ml.data.repeats import repeats
from trainjobs.ml.data.sides import read_rows
from trainjobs.ml.data.text import TextEncoder
from trainjobs.ml.evaluation.baselines import BASELINES_FILE, Baselines
from trainjobs.ml.evaluation.families.scores.evaluation import evaluate
from trainjobs.ml.evaluation.predictions import Predictor, evaluated, fit_baselines, predicted_rows
from trainjobs.ml.evaluation.results import EvaluationResult, PredictedRow
from trainjobs.ml.scoring.reward_model import RewardModel, model_folder

SEED = 42
"""Of the resampling: the same file gives the same intervals."""


def evaluate_on_file(
    path: Path,
    data: Path,
    *,
    named: str,
    train: Path | None,
    settings: Evaluation,
    batch_size: int,
    device: str = "auto",
) -> tuple[EvaluationResult, list[PredictedRow]]:
    """Every figure of a model on the rows of a file or folder, and the rows with the model's scores.

    Args:
        path: folder of a run, or the model's own.
        named: what the model is called in the result.
        data: rows with scores, laid out as the training rows were.
        train: rows to fit the baselines on; None takes those that training left beside the model.
        settings: resamples and coverage of the intervals.
        batch_size: texts per forward pass.
        device: where to compute.

    Raises:
        ModelNotFound: there is no reward model at `path`.
        InvalidData: a row cannot be used; names it.
    """
    model = RewardModel.load(path, device=device)
    config = model.config
    reader = _reader(data, model)
    rows, hashes = read_rows(data, reader)
    learned = None if train is None else read_rows(train, reader)[0]
    judged = Predictor(model.trained.model, config, batch_size=batch_size).run(rows)
    repeated = None if learned is None else repeats(rows.digests(), frozenset(learned.digests()))
    result = evaluate(
        judged,
        config.dimensions,
        settings=settings,
        seed=SEED,
        data=evaluated("file", str(data), hashes, rows, repeated=repeated),
        model=named,
        baselines=_kept(model_folder(path)) if learned is None else fit_baselines(learned, config),
        now=datetime.now(UTC),
    )
    return result, predicted_rows(rows, judged, config)


def _reader(data: Path, model: RewardModel) -> ScoredReader:
    config = model.config
    dataset = Dataset(train=file_uri(data.resolve()), fields=config.fields, overlong=config.overlong)
    encoder = TextEncoder(model.trained.tokenizer, config.template, config.max_length)
    return ScoredReader(dataset, config.dimensions, encoder, seed=SEED, texts=config.columns)


def _kept(folder: Path) -> Baselines | None:
    """Return the baselines that training left beside the model."""
    kept = folder / BASELINES_FILE
    return Baselines.from_json(kept.read_bytes()) if kept.exists() else None
