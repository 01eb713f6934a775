"""How reward models learn to predict named scores."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from trainjobs.api.figures import SCORES
from trainjobs.api.objective import Regression, ScoreDimension
from trainjobs.ml.data.tables import Row
from trainjobs.ml.evaluation.figures import compute_figures
from trainjobs.ml.evaluation.overall import OverallScale
from trainjobs.ml.losses.regression import regression_loss
from trainjobs.ml.modeling.cards import Normalization
from trainjobs.ml.modeling.normalization import to_scores
from trainjobs.ml.objectives.batch import Batch
from trainjobs.ml.objectives.learner import Losses, Outputs
from trainjobs.ml.objectives.padding import Padding

_VALIDATED = frozenset(kind.name for kind in SCORES if kind.validated)


class RegressionLearner:
    """Weighted loss over dimensions; validation in the scale of the rows."""

    def __init__(self, objective: Regression, normalization: Normalization, padding: Padding) -> None:
        self.terms = {"score": 1.0}
        self._objective = objective
        self._normalization = normalization
        self._weights = torch.tensor([d.weight for d in objective.dimensions])
        self._padding = padding

    def collate(self, rows: Sequence[Row]) -> Batch:
        """Return padded texts with labels [batch, dimensions]; rows are the items of the one term."""
        return Batch(
            inputs=self._padding.inputs([row["input_ids"] for row in rows]),
            targets={"labels": torch.from_numpy(np.stack([row["labels"] for row in rows]))},
            items=(float(len(rows)),),
            tokens=sum(len(row["input_ids"]) for row in rows),
        )

    def losses(self, model: nn.Module, batch: Batch) -> Losses:
        """Return the loss summed over the rows, and predicted and wanted outputs beside it."""
        labels = batch.targets["labels"]
        logits = model(**batch.inputs).logits
        self._weights = self._weights.to(logits.device)
        loss = regression_loss(logits, labels, self._weights, self._objective.loss)
        return Losses(loss[None], {"predicted": logits.detach().float(), "wanted": labels})

    def figures(self, outputs: Outputs) -> dict[str, float]:
        """Return the figures of all validation rows."""
        wanted, predicted = outputs["wanted"].astype(np.float64), outputs["predicted"].astype(np.float64)
        true = to_scores(wanted, self._normalization)
        return validation_figures(self._objective.dimensions, true, to_scores(predicted, self._normalization))


def validation_figures(
    dimensions: Sequence[ScoreDimension], true: NDArray[np.float64], predicted: NDArray[np.float64]
) -> dict[str, float]:
    """Return the figures of validation of the overall score, and of each dimension where there are several.

    Args:
        dimensions: in the order of the columns.
        true, predicted: in the scale of the rows, shape [rows, dimensions].

    A correlation that does not exist (constant scores) is left out.
    """
    scale = OverallScale.of(dimensions)
    columns = {"": (scale.overall(true), scale.overall(predicted))}
    if len(dimensions) > 1:
        columns |= {f"{d.name}_": (true[:, i], predicted[:, i]) for i, d in enumerate(dimensions)}
    return {
        f"{prefix}{name}": figure.value
        for prefix, (wanted, guessed) in columns.items()
        for name, figure in compute_figures(wanted, guessed).items()
        if name in _VALIDATED and figure.value is not None
    }
