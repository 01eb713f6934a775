"""What a checkpoint holds: as much as the library's trainer needs to go on exactly."""

import json
import random
from collections.abc import Mapping
from dataclasses import asdict, replace

import numpy as np
import torch
from peft import PeftModel, get_peft_model_state_dict
from torch import Tensor, nn
from transformers import TrainerState

WEIGHTS = "model.safetensors"
ADAPTER_WEIGHTS = "adapter_model.safetensors"


def weights_of(model: nn.Module) -> tuple[str, dict[str, Tensor]]:
    """Return the file name and the trained weights of a model: all of them, or an adapter's.

    Tensors are the model's own, each storage once: tied weights are tied again when loading.
    """
    if isinstance(model, PeftModel):
        return ADAPTER_WEIGHTS, _without_shared(get_peft_model_state_dict(model))
    return WEIGHTS, _without_shared(model.state_dict())


def random_state(*, distributed: bool) -> dict[str, object]:
    """Return the state of all random number generators of this process, as the library's trainer saves it."""
    state: dict[str, object] = {
        "python": random.getstate(),
        "numpy": np.random.get_state(),
        "cpu": torch.random.get_rng_state(),
    }
    if torch.cuda.is_available():
        cuda = torch.cuda.random
        state["cuda"] = cuda.get_rng_state_all() if distributed else cuda.get_rng_state()
    return state


def random_files(states: list[dict[str, object]]) -> dict[str, object]:
    """Return file name → state, for the states of all processes."""
    return {random_file(rank, len(states)): state for rank, state in enumerate(states)}


def random_file(rank: int, processes: int) -> str:
    """Return the name of the file of one process's generators, as the library's trainer reads it."""
    return "rng_state.pth" if processes == 1 else f"rng_state_{rank}.pth"


def state_text(state: TrainerState) -> str:
    """Return `trainer_state.json` of a trainer's state."""
    history = state.log_history
    fields = asdict(replace(state, log_history=[]))
    return json.dumps({**fields, "log_history": history}, indent=2, sort_keys=True) + "\n"


def _without_shared(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    kept: dict[str, Tensor] = {}
    seen: set[tuple[int, torch.Size, tuple[int, ...]]] = set()
    for name, tensor in state.items():
        key = (tensor.data_ptr(), tensor.shape, tensor.stride())
        if tensor.numel() and key in seen:
            continue
        seen.add(key)
        kept[name] = tensor
    return kept
