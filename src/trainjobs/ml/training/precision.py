"""Arithmetic: which one the device computes, and what the recipe asks for."""

from typing import Literal

import torch

from trainjobs.errors import InvalidRecipe

Precision = Literal["FP32", "BF16", "FP16"]


def resolve_precision(asked: Literal["Auto", "FP32", "BF16", "FP16"]) -> Precision:
    """Return the arithmetic to use on this machine; Auto is bf16 on devices made for it, else fp32."""
    cuda = torch.cuda.is_available()
    if asked == "Auto":
        return "BF16" if cuda and torch.cuda.is_bf16_supported(including_emulation=False) else "FP32"
    if asked == "FP16" and not cuda:
        raise InvalidRecipe("spec.training.precision: FP16 needs a CUDA device; set FP32, BF16 or Auto")
    return asked


def base_dtype(precision: Precision, adapter: str) -> torch.dtype:
    """Return how weights are held: in float32 where they are trained, in half where only an adapter is."""
    if adapter == "None" or precision == "FP32":
        return torch.float32
    return torch.bfloat16 if precision == "BF16" else torch.float16


def device_name() -> str:
    """Return the name of the device that training uses."""
    if torch.cuda.is_available():
        return f"cuda ({torch.cuda.get_device_name()})"
    return f"cpu ({torch.get_num_threads()} threads)"
