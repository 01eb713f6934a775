"""`environment.json`: with what a model was made."""

import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import torch

from trainjobs.ml.training.precision import device_name

_PACKAGES = (
    "trainjobs",
    "torch",
    "transformers",
    "accelerate",
    "peft",
    "tokenizers",
    "safetensors",
    "deepspeed",
    "numpy",
    "scipy",
)


def environment(hashes: dict[str, str], seed: int) -> dict[str, object]:
    """Return versions, device, the commit of the code if it runs from a checkout, data hashes and seed."""
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "device": device_name(),
        "cuda": torch.version.cuda,
        "versions": versions(),
        "commit": _commit(),
        "seed": seed,
        "data": {name: f"sha256:{value}" for name, value in sorted(hashes.items())},
        "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
    }


def versions() -> dict[str, str]:
    """Return the versions of what training uses, as far as it is installed."""
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _commit() -> str | None:
    """Return the commit of the checkout this file is in, with `-dirty` where it was changed."""
    source = Path(__file__).resolve().parent
    if not any((parent / ".git").exists() for parent in source.parents):
        return None
    try:
        described = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"],
            cwd=source,
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return described.stdout.strip() or None
