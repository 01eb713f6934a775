"""The accelerators of this machine, found without torch."""

import os
from pathlib import Path

NVIDIA = Path("/proc/driver/nvidia/gpus")


def accelerators_here() -> int:
    """How many accelerators training may use: CUDA_VISIBLE_DEVICES, else what the driver lists."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    present = len(list(NVIDIA.iterdir())) if NVIDIA.is_dir() else 0
    if visible is None:
        return present
    return min(present, len([part for part in visible.split(",") if part.strip() not in ("", "-1")]))
