"""The trainer of reward models that predict named scores."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, Sampler, SequentialSampler
from transformers.trainer_utils import EvalLoopOutput

from trainjobs.api.figures import SCORES
from trainjobs.api.objective import Regression, ScoreDimension
from trainjobs.errors import Diverged
from trainjobs.ml.evaluation.figures import compute_figures
from trainjobs.ml.evaluation.overall import OverallScale
from trainjobs.ml.modeling.normalization import to_scores
from trainjobs.ml.modeling.scoring_config import Normalization
from trainjobs.ml.training.regression_loss import regression_loss
from trainjobs.ml.training.trainer import RunTrainer

_VALIDATED = frozenset(kind.name for kind in SCORES if kind.validated)


class RegressionTrainer(RunTrainer):
    """Weighted loss over dimensions; validation in the scale of the rows."""

    def __init__(self, *, objective: Regression, normalization: Normalization, **options: Any) -> None:
        """`options`: those of `RunTrainer`."""
        super().__init__(compute_metrics=lambda _: {}, **options)
        self._objective = objective
        self._normalization = normalization
        self._weights = torch.tensor([d.weight for d in objective.dimensions], device=self.args.device)

    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, Any],
        return_outputs: bool = False,  # noqa: FBT001, FBT002
        num_items_in_batch: Any = None,
    ) -> Any:
        """Return the loss of a batch (and the outputs [batch, dimensions] beside it)."""
        labels = inputs.pop("labels")
        inputs.pop("tokens", None)
        logits = model(**inputs).logits
        loss = regression_loss(logits, labels, self._weights, self._objective.loss)
        return (loss, {"loss": loss, "logits": logits.float()}) if return_outputs else loss

    def _get_eval_sampler(self, eval_dataset: Dataset[Any]) -> Sampler[int]:
        # Validation rows stand in the data set by length already.
        return SequentialSampler(eval_dataset)  # type: ignore[arg-type]

    def evaluation_loop(self, dataloader: DataLoader[Any], *args: Any, **options: Any) -> EvalLoopOutput:
        """Validate: exact loss over all rows, and figures in the scale of the rows."""
        output = super().evaluation_loop(dataloader, *args, **options)
        prefix = options.get("metric_key_prefix", "eval")
        predicted, wanted = np.asarray(output.predictions), np.asarray(output.label_ids)
        if not np.isfinite(predicted).all():
            raise Diverged(
                f"validation at step {self.state.global_step} gave predictions that are not finite:"
                " lower spec.training.learningRate, or look at the rows"
            )
        metrics = self._figures(predicted.astype(np.float64), wanted.astype(np.float64))
        # The library's own mean counts a last, smaller batch like a whole one.
        metrics["loss"] = self._loss_of(predicted, wanted)
        assert output.metrics is not None
        output.metrics.update({f"{prefix}_{name}": value for name, value in metrics.items()})
        return output

    def _loss_of(self, predicted: NDArray[Any], wanted: NDArray[Any]) -> float:
        weights = self._weights.cpu()
        loss: Tensor = regression_loss(
            torch.from_numpy(predicted), torch.from_numpy(wanted), weights, self._objective.loss
        )
        return float(loss)

    def _figures(self, predicted: NDArray[np.float64], wanted: NDArray[np.float64]) -> dict[str, float]:
        true = to_scores(wanted, self._normalization)
        guessed = to_scores(predicted, self._normalization)
        return validation_figures(self._objective.dimensions, true, guessed)


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
