"""Texts of a batch made one length."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Padding:
    """How texts are made one length: to the longest of the batch, at the end."""

    token: int
    multiple: int
    """Lengths are rounded up to it, which suits some devices, but never above `longest`."""
    longest: int

    def inputs(self, texts: Sequence[NDArray[Any]]) -> dict[str, Tensor]:
        """Return input_ids and attention_mask, both [texts, length]."""
        lengths = [len(text) for text in texts]
        rounded = -(-max(lengths) // self.multiple) * self.multiple
        width = max(*lengths, min(rounded, self.longest))
        ids = np.full((len(texts), width), self.token, dtype=np.int64)
        mask = np.zeros((len(texts), width), dtype=np.int64)
        for index, text in enumerate(texts):
            ids[index, : lengths[index]] = text
            mask[index, : lengths[index]] = 1
        return {"input_ids": torch.from_numpy(ids), "attention_mask": torch.from_numpy(mask)}
