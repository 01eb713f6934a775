"""Measuring a model on rows that are shared among processes: every row once, in the order of the data set."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from trainjobs.ml.objectives.batch import Batch
from trainjobs.ml.objectives.learner import Learner, Losses, Outputs, weighed
from trainjobs.ml.training.processes import Processes


@dataclass(frozen=True, slots=True)
class Measured:
    """What a model does on all rows of a data set."""

    loss: float
    outputs: Outputs
    """Name → shape [rows, …], in the order of the data set."""

    @property
    def rows(self) -> int:
        """How many rows were measured."""
        return len(next(iter(self.outputs.values())))


def measure(
    learner: Learner, model: nn.Module, batches: Iterable[Batch], device: torch.device, processes: Processes
) -> Measured:
    """Measure this process's batches and put them together with those of all others."""
    counted: list[tuple[Batch, Losses]] = []
    with torch.no_grad():
        for batch in batches:
            losses = learner.losses(model, batch.to(device))
            if batch.counts:
                counted.append((batch, losses))
    terms = len(learner.terms)
    sums, items = np.zeros(terms), np.zeros(terms)
    for batch, losses in counted:
        sums += losses.sums.double().cpu().numpy()
        items += batch.items
    reduced = processes.sums([*sums, *items])
    return Measured(
        weighed(reduced[:terms], reduced[terms:], learner.terms),
        _in_order(processes.gathered(_outputs(counted))),
    )


Part = tuple[NDArray[np.int64], Mapping[str, NDArray[np.float32]]]
"""Places of rows, and what was measured of them."""


def _outputs(counted: list[tuple[Batch, Losses]]) -> Part | None:
    if not counted:
        return None
    names = counted[0][1].outputs
    return (
        np.concatenate([batch.rows for batch, _ in counted]),
        {name: torch.cat([losses.outputs[name] for _, losses in counted]).cpu().numpy() for name in names},
    )


def _in_order(parts: list[Part | None]) -> Outputs:
    present = [part for part in parts if part is not None]
    order = np.argsort(np.concatenate([rows for rows, _ in present]))
    names = present[0][1]
    return {name: np.concatenate([outputs[name] for _, outputs in present])[order] for name in names}
