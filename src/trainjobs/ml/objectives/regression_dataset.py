"""Rows with what a head should put out for them, and batches of such rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypedDict

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from trainjobs.ml.data.encoded import EncodedRows
from trainjobs.ml.objectives.batch import Batch


class Row(TypedDict):
    """One row as the trainer handles it."""

    input_ids: NDArray[np.int32]
    labels: NDArray[np.float32]


class RegressionDataset(Dataset[Row]):
    """Some rows of a data set, with what the head should put out for them."""

    def __init__(self, rows: EncodedRows, indices: NDArray[np.int64], outputs: NDArray[np.float64]) -> None:
        """`outputs`: normalised scores of all rows, shape [rows, dimensions]."""
        self._rows = rows
        self._indices = indices
        self._outputs = outputs.astype(np.float32)

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self._indices)

    def __getitem__(self, index: int) -> Row:
        """Return one row; its arrays are views."""
        row = int(self._indices[index])
        return {"input_ids": self._rows.ids(row), "labels": self._outputs[row]}

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens of each row, shape [rows]."""
        return self._rows.lengths[self._indices]


@dataclass(frozen=True, slots=True)
class Padding:
    """How rows are made one length: to the longest text of the batch, at the end."""

    token: int
    multiple: int
    """Lengths are rounded up to it, which suits some devices, but never above `longest`."""
    longest: int

    def batch(self, rows: Sequence[Row]) -> Batch:
        """Return inputs input_ids and attention_mask [batch, length], and targets labels [batch, dimensions].

        The rows are the items of the one term.
        """
        lengths = [len(row["input_ids"]) for row in rows]
        rounded = -(-max(lengths) // self.multiple) * self.multiple
        width = max(*lengths, min(rounded, self.longest))
        ids = np.full((len(rows), width), self.token, dtype=np.int64)
        mask = np.zeros((len(rows), width), dtype=np.int64)
        for index, row in enumerate(rows):
            ids[index, : lengths[index]] = row["input_ids"]
            mask[index, : lengths[index]] = 1
        return Batch(
            inputs={"input_ids": torch.from_numpy(ids), "attention_mask": torch.from_numpy(mask)},
            targets={"labels": torch.from_numpy(np.stack([row["labels"] for row in rows]))},
            items=(float(len(rows)),),
            tokens=sum(lengths),
        )
