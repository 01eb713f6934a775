"""What differs between two things that are trained by gradients: their rows, losses and figures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from trainjobs.ml.objectives.batch import Batch

Outputs = Mapping[str, NDArray[np.float32]]
"""What is measured of rows: name → a small array, shape [rows, …]."""


@dataclass(frozen=True, slots=True)
class Losses:
    """What a model lost on one batch."""

    sums: Tensor
    """For each term, its loss summed over the items of the batch; shape [terms], float32."""
    outputs: Mapping[str, Tensor]
    """What validation measures of each row, detached: name → shape [batch, …]. Small: never logits."""


class Learner(Protocol):
    """Gives sums and counts; the engine divides one by the other, over a whole step and all processes."""

    @property
    def terms(self) -> Mapping[str, float]:
        """Name → weight of each term of the loss."""

    def collate(self, rows: Sequence[Any]) -> Batch:
        """Return rows as a batch, with the number of items for each term."""

    def losses(self, model: nn.Module, batch: Batch) -> Losses:
        """Return what the model loses on a batch.

        Everything has to come from `model(...)`: what reads past it gets no gradients from other processes.
        """

    def figures(self, outputs: Outputs) -> dict[str, float]:
        """Return what validation says of all its rows, in the order of the data set."""


def weighed(sums: Sequence[float], items: Sequence[float], terms: Mapping[str, float]) -> float:
    """Return each term's mean over its items, times its weight, summed; a term without items adds nothing."""
    parts = zip(sums, items, terms.values(), strict=True)
    return sum(weight * total / count for total, count, weight in parts if count)
