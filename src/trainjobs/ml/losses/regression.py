"""The loss of reward models that predict named scores."""

from typing import Literal

from torch import Tensor
from torch.nn import functional

Kind = Literal["MSE", "Huber", "MAE"]


def regression_loss(predictions: Tensor, targets: Tensor, weights: Tensor, kind: Kind = "MSE") -> Tensor:
    """Loss of each row, averaged over dimensions by their weights, and summed over the batch.

    Args:
        predictions: the head's outputs, shape [batch, dimensions], any float dtype; computed in float32.
        targets: normalised scores, shape [batch, dimensions].
        weights: weights of the dimensions, shape [dimensions]; need not sum to 1.
        kind: MSE (y - ŷ)², MAE |y - ŷ|, or Huber with a threshold of 1: half the square up to
            there, linear beyond.

    Returns:
        A scalar, float32.

    Source: Huber, "Robust Estimation of a Location Parameter", 1964, for the last.
    """
    predictions, targets, weights = predictions.float(), targets.float(), weights.float()
    match kind:
        case "MSE":
            losses = functional.mse_loss(predictions, targets, reduction="none")
        case "Huber":
            losses = functional.huber_loss(predictions, targets, reduction="none", delta=1.0)
        case "MAE":
            losses = functional.l1_loss(predictions, targets, reduction="none")
    return losses.sum(dim=0) @ weights / weights.sum()
