"""A model's folder on this machine, measured without loading it."""

import json
from pathlib import Path
from typing import Final

from trainjobs.core.plan.estimate import ModelShape
from trainjobs.errors import ModelNotFound

_MAX_HEADER: Final = 100_000_000
"""Bytes; the format's own limit."""
_HIDDEN: Final = ("hidden_size", "n_embd", "d_model", "dim")
_HEADS: Final = ("num_attention_heads", "n_head", "num_heads", "n_heads")
_DROPOUTS: Final = ("attention_probs_dropout_prob", "attention_dropout", "attn_pdrop")
_LAYERS: Final = ("num_hidden_layers", "n_layer", "num_layers", "n_layers")


def model_shape(folder: Path) -> ModelShape | None:
    """Return the shape of the model in a folder, or None where it carries no safetensors.

    Raises:
        ModelNotFound: a file is there and cannot be read; names it.
    """
    files = sorted(folder.glob("*.safetensors"))
    config = folder / "config.json"
    if not files or not config.is_file():
        return None
    try:
        said = json.loads(config.read_bytes())
    except ValueError as error:
        raise ModelNotFound(f"{config}: not JSON ({error})") from error
    said = {**said.get("text_config", {}), **said}
    tensors = {name: shape for file in files for name, shape in _header(file).items()}
    return ModelShape(
        tensors,
        hidden_size=_first(said, _HIDDEN),
        layers=_first(said, _LAYERS),
        vocabulary=_first(said, ("vocab_size",)),
        dropout_heads=_first(said, _HEADS) if any(said.get(name) for name in _DROPOUTS) else 0,
    )


def _first(said: dict[str, object], names: tuple[str, ...]) -> int:
    return next((value for name in names if isinstance(value := said.get(name), int)), 0)


def _header(file: Path) -> dict[str, tuple[int, ...]]:
    """Tensor name → shape: eight bytes of length, then JSON (the format of safetensors)."""
    try:
        with file.open("rb") as opened:
            length = int.from_bytes(opened.read(8), "little")
            if not 2 <= length <= _MAX_HEADER:
                raise ValueError(f"a header of {length} bytes")
            header = json.loads(opened.read(length))
        return {name: tuple(entry["shape"]) for name, entry in header.items() if name != "__metadata__"}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelNotFound(f"{file}: not a file of safetensors ({error})") from error
