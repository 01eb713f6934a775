"""Rows that a model reads at once."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from trainjobs.ml.data.order import Order


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows that a model reads at once."""

    inputs: Mapping[str, Tensor]
    """What the model's forward takes."""
    targets: Mapping[str, Tensor]
    """What its outputs are compared with."""
    items: tuple[float, ...]
    """For each term of the loss, how many items the batch adds to those it is averaged over."""
    tokens: int
    """Without padding."""
    rows: Order = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    """Places of the rows in their data set, shape [batch]; none where the batch only stands in."""

    @property
    def counts(self) -> bool:
        """Whether anything here is learned from or measured."""
        return len(self.rows) > 0

    def pin_memory(self) -> Self:
        """Return it in memory that a device copies from by itself; the library's loader calls this."""
        return self._with(lambda tensor: tensor.pin_memory())

    def to(self, device: torch.device) -> Self:
        """Return it on a device; the copy may still be under way."""
        return self._with(lambda tensor: tensor.to(device, non_blocking=True))

    def _with(self, change: Callable[[Tensor], Tensor]) -> Self:
        return replace(
            self,
            inputs={name: change(tensor) for name, tensor in self.inputs.items()},
            targets={name: change(tensor) for name, tensor in self.targets.items()},
        )


Collate = Callable[[Sequence[Any]], Batch]
