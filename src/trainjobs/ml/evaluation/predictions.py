"""What a reward model says of rows with scores, beside what their annotators gave them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from transformers import PreTrainedModel

from trainjobs.api.figures import OVERALL
from trainjobs.ml.data.tables import Part
from trainjobs.ml.evaluation.baselines import Baselines, fit
from trainjobs.ml.evaluation.families.scores.evaluation import Judged
from trainjobs.ml.evaluation.figures import Matrix
from trainjobs.ml.evaluation.overall import OverallScale
from trainjobs.ml.evaluation.results import EvaluatedData, PredictedRow
from trainjobs.ml.modeling.cards import RegressionCard
from trainjobs.ml.modeling.normalization import to_scores
from trainjobs.ml.scoring.prediction import Precision, predict
from trainjobs.ml.scoring.reward_model import hold_to_range


@dataclass(frozen=True, slots=True)
class Predictor:
    """A model with all that its predictions depend on."""

    model: PreTrainedModel
    config: RegressionCard
    batch_size: int
    precision: Precision = "Auto"

    def run(self, rows: Part) -> Judged:
        """Score every row, as `RewardModel` would."""
        texts, ratings = rows.table.columns["input_ids"], rows.table.columns["ratings"]
        was_training = self.model.training
        self.model.train(mode=False)
        outputs = predict(
            self.model,
            [texts[index] for index in rows.indices],
            batch_size=self.batch_size,
            precision=self.precision,
        )
        self.model.train(mode=was_training)
        return Judged(
            true=rows.column("scores"),
            predicted=hold_to_range(to_scores(outputs, self.config.normalization), self.config),
            ratings=[ratings[index] for index in rows.indices],
            lengths=characters(rows),
        )


def predicted_rows(rows: Part, judged: Judged, config: RegressionCard) -> list[PredictedRow]:
    """Return the lines of `predictions.jsonl`."""
    scale, table = OverallScale.of(config.dimensions), rows.table

    def named(scores: Matrix) -> list[dict[str, float]]:
        columns = {OVERALL: scale.overall(scores)} | {
            name: scores[:, column] for column, name in enumerate(config.names)
        }
        return [{name: float(values[row]) for name, values in columns.items()} for row in range(len(scores))]

    return [
        PredictedRow(
            where=table.origins[index].where,
            id=table.origins[index].id,
            true=true,
            predicted=predicted,
            characters=int(table.characters[index]),
            tokens=int(table.tokens[index]),
            truncated_tokens=int(table.cut[index]),
            excerpt=table.origins[index].excerpt,
        )
        for index, true, predicted in zip(
            rows.indices, named(judged.true), named(judged.predicted), strict=True
        )
    ]


def evaluated(
    kind: Literal["test", "eval", "file"],
    path: str,
    files: Mapping[str, str],
    rows: Part,
    *,
    repeated: int | None,
) -> EvaluatedData:
    """Return what a result says of the rows that it was measured on."""
    return EvaluatedData(
        split=kind,
        path=path,
        files=dict(files),
        rows=len(rows),
        truncated=rows.cuts.rows_cut,
        truncated_tokens=rows.cuts.tokens_cut,
        dropped=rows.cuts.rows_dropped,
        repeated=repeated,
    )


def fit_baselines(rows: Part, config: RegressionCard) -> Baselines:
    """Fit the baselines on training rows."""
    return fit(config.names, rows.column("scores"), characters(rows))


def characters(rows: Part) -> Matrix:
    """Return the length of each row's text, shape [rows]."""
    return rows.table.characters[rows.indices].astype(np.float64)
