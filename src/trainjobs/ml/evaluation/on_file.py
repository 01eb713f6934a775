"""Evaluate a trained model on a data file: what `trainjobs evaluate` does."""

from datetime import UTC, datetime
from pathlib import Path

from trainjobs.api.dataset import Dataset
from trainjobs.api.evaluation import Evaluation
from trainjobs.core.uris import file_uri
from trainjobs.ml.data.scored import ScoredRows
from trainjobs.ml.evaluation.baselines import BASELINES_FILE, Baselines
from trainjobs.ml.evaluation.judging import evaluate
from trainjobs.ml.evaluation.results import EvaluatedData, EvaluationResult, PredictedRow
from trainjobs.ml.evaluation.running import Predictor, fit_baselines
from trainjobs.ml.modeling.scoring_config import ScoringConfig
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
    source = _rows(data, config)
    predictor = Predictor(model.trained.model, model.trained.tokenizer, config, batch_size=batch_size)
    learned = None if train is None else predictor.digests(_rows(train, config))
    predicted = predictor.run(source, config.overlong, learned=learned)
    result = evaluate(
        predicted.judged,
        config.dimensions,
        settings=settings,
        seed=SEED,
        data=EvaluatedData(
            split="file",
            path=str(data),
            files=source.hashes,
            rows=len(predicted.rows),
            truncated=predicted.truncated,
            truncated_tokens=predicted.truncated_tokens,
            dropped=predicted.dropped,
            repeated=predicted.repeated,
        ),
        model=named,
        baselines=_baselines(model_folder(path), train, config),
        now=datetime.now(UTC),
    )
    return result, predicted.rows


def _rows(path: Path, config: ScoringConfig) -> ScoredRows:
    dataset = Dataset(train=file_uri(path.resolve()), fields=config.fields)
    return ScoredRows(path, dataset, config.dimensions, columns=config.columns)


def _baselines(folder: Path, train: Path | None, config: ScoringConfig) -> Baselines | None:
    if train is not None:
        return fit_baselines(_rows(train, config), config)
    kept = folder / BASELINES_FILE
    return Baselines.from_json(kept.read_bytes()) if kept.exists() else None
