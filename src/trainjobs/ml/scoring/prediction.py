"""The forward passes of scoring and evaluation: token ids in, outputs of the head out."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from transformers import PreTrainedModel

from trainjobs.ml.modeling.architectures import padding_token

Precision = Literal["Auto", "FP32", "BF16"]
Tokens = Sequence[int] | npt.NDArray[np.int32]


def predict(
    model: PreTrainedModel,
    rows: Sequence[Tokens],
    *,
    batch_size: int,
    precision: Precision = "FP32",
) -> npt.NDArray[np.float64]:
    """Return the outputs of the head for each row, in the order of `rows`, shape [rows, outputs].

    Rows of similar length share a batch, the longest first, so that little is padded and the
    memory that will be needed is needed at once. The model keeps its mode and device.

    Args:
        model: a sequence classification model in evaluation mode.
        rows: token ids of each text, special tokens included, at least one.
        batch_size: rows per forward pass.
        precision: FP32, or bf16 autocast; Auto is bf16 on an accelerator that computes it.
    """
    order = sorted(range(len(rows)), key=lambda index: -len(rows[index]))
    outputs = np.empty((len(rows), model.config.num_labels or 1), dtype=np.float64)
    pad = padding_token(model.config)
    with torch.inference_mode(), _autocast(model.device, precision):
        for start in range(0, len(order), batch_size):
            chosen = order[start : start + batch_size]
            ids, mask = _padded([rows[index] for index in chosen], pad)
            batch = model(input_ids=ids.to(model.device), attention_mask=mask.to(model.device))
            outputs[chosen] = batch.logits.float().cpu().numpy()
    return outputs


def _padded(rows: Sequence[Tokens], pad: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids padded on the right and their mask, both of shape [batch, longest]."""
    longest = max(len(row) for row in rows)
    ids = torch.full((len(rows), longest), pad, dtype=torch.long)
    mask = torch.zeros((len(rows), longest), dtype=torch.long)
    for index, row in enumerate(rows):
        ids[index, : len(row)] = torch.as_tensor(row, dtype=torch.long)
        mask[index, : len(row)] = 1
    return ids, mask


def _autocast(device: torch.device, precision: Precision) -> AbstractContextManager[object]:
    wanted = precision == "BF16" or (precision == "Auto" and _computes_bf16(device))
    return torch.autocast(device.type, torch.bfloat16) if wanted else nullcontext()


def _computes_bf16(device: torch.device) -> bool:
    return device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
