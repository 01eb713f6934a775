"""Rows → padded batches."""

from collections.abc import Sequence
from typing import Any, TypedDict

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from trainjobs.ml.data.encoded import EncodedRows


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


class PaddingCollator:
    """Pads to the longest text of the batch, at the end."""

    def __init__(self, pad_token_id: int, *, multiple: int, longest: int) -> None:
        """`multiple`: lengths are rounded up to it, which suits some devices, but never above `longest`."""
        self._pad = pad_token_id
        self._multiple = multiple
        self._longest = longest

    def __call__(self, rows: Sequence[Row]) -> dict[str, Any]:
        """Return input_ids, attention_mask [batch, length], labels [batch, dimensions], and a token count."""
        lengths = [len(row["input_ids"]) for row in rows]
        rounded = -(-max(lengths) // self._multiple) * self._multiple
        width = max(*lengths, min(rounded, self._longest))
        ids = np.full((len(rows), width), self._pad, dtype=np.int64)
        mask = np.zeros((len(rows), width), dtype=np.int64)
        for index, row in enumerate(rows):
            ids[index, : lengths[index]] = row["input_ids"]
            mask[index, : lengths[index]] = 1
        return {
            "input_ids": torch.from_numpy(ids),
            "attention_mask": torch.from_numpy(mask),
            "labels": torch.from_numpy(np.stack([row["labels"] for row in rows])),
            "tokens": sum(lengths),
        }
