"""The loss against numbers worked out by hand."""

import pytest
import torch

from trainjobs.ml.losses.regression import Kind, regression_loss

PREDICTIONS = torch.tensor([[1.0, 0.0], [3.0, -2.0]])
TARGETS = torch.tensor([[0.5, 1.0], [0.0, -2.0]])


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        # Columns: squares 0.25 and 9, 1 and 0; sums 9.25 and 1; weights 3 and 1.
        ("MSE", (3 * 9.25 + 1) / 4),
        # Absolute 0.5 and 3, 1 and 0; sums 3.5 and 1.
        ("MAE", (3 * 3.5 + 1) / 4),
        # Halves of squares up to 1, then |d| - 0.5: 0.125 and 2.5, 0.5 and 0; sums 2.625 and 0.5.
        ("Huber", (3 * 2.625 + 0.5) / 4),
    ],
)
def test_the_loss_is_the_weighted_mean_over_dimensions_summed_over_rows(kind: Kind, expected: float) -> None:
    loss = regression_loss(PREDICTIONS, TARGETS, torch.tensor([3.0, 1.0]), kind)
    assert loss.item() == pytest.approx(expected, abs=1e-7)


def test_half_precision_predictions_are_judged_in_single_precision() -> None:
    predictions = torch.full((1, 1), 300.0, dtype=torch.float16)
    loss = regression_loss(predictions, torch.full((1, 1), -300.0), torch.ones(1), "MSE")
    assert loss.dtype == torch.float32
    assert loss.item() == 360_000.0  # beyond the largest half-precision number
