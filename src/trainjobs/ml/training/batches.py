"""Batches of a data set for one process, dealt out and put together by ourselves.

The libraries would repeat rows of an incomplete batch until every process has as many.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from torch.utils.data import DataLoader, Dataset, Sampler

from trainjobs.ml.data.order import Order
from trainjobs.ml.data.shares import Share, deal, shares_in
from trainjobs.ml.data.tables import Part
from trainjobs.ml.objectives.batch import Batch, Collate


class SharedRows(Dataset[Batch]):
    """A data set that is asked for shares and answers with batches."""

    def __init__(self, rows: Part, collate: Collate) -> None:
        self._rows = rows
        self._collate = collate

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self._rows)

    def __getitem__(self, share: Share) -> Batch:
        """Return the rows of a share as a batch."""
        batch = self._collate([self._rows[int(row)] for row in share.rows])
        if share.stands_in:
            return replace(batch, items=tuple(0.0 for _ in batch.items), tokens=0)
        return replace(batch, rows=share.rows)


class StepBatches(Sampler[list[Share]]):
    """The shares of one process in an epoch, one to a batch."""

    def __init__(
        self, rows: int, order: Callable[[int], Order], *, batch: int, processes: int, rank: int
    ) -> None:
        """`order`: the order of rows in an epoch, from 0."""
        self._rows = rows
        self._order = order
        self._batch = batch
        self._processes = processes
        self._rank = rank
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch, from 0."""
        self._epoch = epoch

    def __len__(self) -> int:
        """Return the number of batches; it is the same for every process."""
        return shares_in(self._rows, batch=self._batch, processes=self._processes)

    def __iter__(self) -> Iterator[list[Share]]:
        """Yield the shares in turn."""
        order = self._order(self._epoch)
        dealt = deal(order, batch=self._batch, processes=self._processes, rank=self._rank)
        return ([share] for share in dealt)


def load_batches(rows: Part, collate: Collate, batches: StepBatches, **options: Any) -> DataLoader[Batch]:
    """Return a loader of batches; `options` are those of torch's, its workers among them."""
    return DataLoader(SharedRows(rows, collate), batch_sampler=batches, collate_fn=_only, **options)


def _only(batches: Sequence[Batch]) -> Batch:
    (batch,) = batches
    return batch
