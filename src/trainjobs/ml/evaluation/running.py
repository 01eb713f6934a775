"""Run a model over the rows of a data file and judge what it says."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from trainjobs.api.figures import OVERALL
from trainjobs.errors import InvalidData
from trainjobs.ml.data.encoded import Overlong, is_dropped
from trainjobs.ml.data.repeats import digest, repeats
from trainjobs.ml.data.scored import ScoredRow
from trainjobs.ml.data.text import Encoded, ReportParts, ScoredText, TextEncoder, join
from trainjobs.ml.evaluation.baselines import Baselines, fit
from trainjobs.ml.evaluation.figures import Matrix
from trainjobs.ml.evaluation.judging import Judged
from trainjobs.ml.evaluation.overall import OverallScale
from trainjobs.ml.evaluation.results import PredictedRow
from trainjobs.ml.modeling.normalization import to_scores
from trainjobs.ml.modeling.scoring_config import ScoringConfig
from trainjobs.ml.scoring.prediction import Precision, predict
from trainjobs.ml.scoring.reward_model import hold_to_range

EXCERPT: Final = 400
"""Characters of a text that predictions.jsonl keeps."""


@dataclass(frozen=True, slots=True)
class Predicted:
    """Rows with the model's scores."""

    judged: Judged
    rows: list[PredictedRow]
    truncated: int
    truncated_tokens: int
    dropped: int
    repeated: int | None
    """Rows whose text was learned from, too."""


@dataclass(frozen=True, slots=True)
class Predictor:
    """A model with all that its predictions depend on."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    config: ScoringConfig
    batch_size: int
    precision: Precision = "Auto"

    def run(
        self, rows: Iterable[ScoredRow], overlong: Overlong, *, learned: Collection[bytes] | None
    ) -> Predicted:
        """Score every row, as `RewardModel` would.

        Args:
            rows: the rows as they are read.
            overlong: what happens to texts that are longer than the model's longest text.
            learned: digests of the texts that the model learned from; None where these are not known.

        Raises:
            InvalidData: a row is too long and `overlong` is Fail, a report alone does not fit and it is
                not Drop, or no row is left.
        """
        kept: list[tuple[ScoredRow, Encoded]] = []
        dropped = 0
        for row, encoded in self._encoder().encode_each(rows, lambda row: row.text):
            if is_dropped(row, encoded, overlong, self.config.max_length):
                dropped += 1
            else:
                kept.append((row, encoded))
        if not kept:
            raise InvalidData(
                f"no row is left to evaluate: {dropped} were longer than {self.config.max_length} tokens;"
                " raise spec.dataset.maxLength"
            )
        repeated = None if learned is None else repeats((one.input_ids for _, one in kept), learned)
        return self._predicted(kept, dropped, repeated)

    def digests(self, rows: Iterable[ScoredRow]) -> frozenset[bytes]:
        """Digests of rows' texts as the model reads them."""
        encoded = self._encoder().encode_each(rows, lambda row: row.text)
        return frozenset(digest(one.input_ids) for _, one in encoded)

    def _encoder(self) -> TextEncoder:
        return TextEncoder(self.tokenizer, self.config.template, self.config.max_length)

    def _predicted(
        self, kept: Sequence[tuple[ScoredRow, Encoded]], dropped: int, repeated: int | None
    ) -> Predicted:
        was_training = self.model.training
        self.model.train(mode=False)
        outputs = predict(
            self.model,
            [encoded.input_ids for _, encoded in kept],
            batch_size=self.batch_size,
            precision=self.precision,
        )
        self.model.train(mode=was_training)
        scores = hold_to_range(to_scores(outputs, self.config.normalization), self.config)
        true = np.array([row.scores for row, _ in kept])
        lengths = np.array([characters(row.text, self.config.template) for row, _ in kept], dtype=np.float64)
        judged = Judged(
            true=true,
            predicted=scores,
            ratings=[np.array(row.ratings, dtype=np.float64) for row, _ in kept],
            lengths=lengths,
        )
        cuts = [encoded.cut for _, encoded in kept if encoded.cut]
        return Predicted(judged, self._rows(kept, judged), len(cuts), sum(cuts), dropped, repeated)

    def _rows(self, kept: Sequence[tuple[ScoredRow, Encoded]], judged: Judged) -> list[PredictedRow]:
        scale = OverallScale.of(self.config.dimensions)
        true_overall, predicted_overall = scale.overall(judged.true), scale.overall(judged.predicted)
        return [
            PredictedRow(
                where=row.where,
                id=row.id,
                true=self._named(judged.true, true_overall, index),
                predicted=self._named(judged.predicted, predicted_overall, index),
                characters=int(judged.lengths[index]),
                tokens=len(encoded.input_ids),
                truncated_tokens=encoded.cut,
                excerpt=(row.text if isinstance(row.text, str) else row.text.report)[:EXCERPT],
            )
            for index, (row, encoded) in enumerate(kept)
        ]

    def _named(self, scores: Matrix, overall: Matrix, index: int) -> dict[str, float]:
        named = {name: float(scores[index, column]) for column, name in enumerate(self.config.names)}
        return {OVERALL: float(overall[index]), **named}


def fit_baselines(rows: Iterable[ScoredRow], config: ScoringConfig) -> Baselines:
    """Fit the baselines on training rows, read once; texts are not kept."""
    pairs = [(row.scores, characters(row.text, config.template)) for row in rows]
    return fit(
        config.names,
        np.array([scores for scores, _ in pairs]),
        np.array([length for _, length in pairs], dtype=np.float64),
    )


def characters(text: ScoredText, template: str) -> int:
    """Length of the joined text."""
    return len(join(text, template)[0]) if isinstance(text, ReportParts) else len(text)
