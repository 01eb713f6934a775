"""FSDP2: a model's weights dealt out over the processes, on accelerators and on CPUs alike.

The library shards by itself on accelerators only and trains copies elsewhere: here it is torch's own
`fully_shard`, before the trainer gets the model.
"""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch._C._distributed_c10d import HashStore
from torch.distributed.checkpoint.state_dict import StateDictOptions, set_model_state_dict
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import CPUOffloadPolicy, MixedPrecisionPolicy, fully_shard
from transformers.modeling_layers import GradientCheckpointingLayer

from trainjobs.api.topology import FSDP
from trainjobs.ml.training.precision import Precision

_log = logging.getLogger("trainjobs.training")
_HALF = {"BF16": torch.bfloat16, "FP16": torch.float16}


def shard(model: nn.Module, options: FSDP, precision: Precision) -> None:
    """Leave this process its part of every weight of rank 0's model. Every process has to call it.

    Each transformer layer is gathered by itself while it computes; what is outside of layers is one more.
    """
    for parameter in model.parameters():
        if parameter.requires_grad and parameter.dtype in _HALF.values():
            # What is trained is held in float32, beside a frozen base in half.
            parameter.data = parameter.data.float()
    whole = model.state_dict() if not dist.is_initialized() or dist.get_rank() == 0 else {}
    settings = _settings(options, precision)
    layers = [module for module in model.modules() if isinstance(module, GradientCheckpointingLayer)]
    # Layers within layers come first.
    for layer in reversed(layers):
        fully_shard(layer, **settings)
    fully_shard(model, **settings)
    if dist.get_world_size() > 1:
        from_rank_0 = StateDictOptions(full_state_dict=True, broadcast_from_rank0=True)
        set_model_state_dict(model, whole, options=from_rank_0)
    _log.info("FSDP: %d layers dealt out over %d processes", len(layers), dist.get_world_size())


@contextmanager
def loaded_once_a_node() -> Iterator[None]:
    """While it is open, only the first process of a node loads weights; others build a model without any."""
    asked = {"ACCELERATE_USE_FSDP": "true", "FSDP_CPU_RAM_EFFICIENT_LOADING": "true"}
    if not dist.is_initialized() or dist.get_world_size() == 1:
        asked = {}
    os.environ.update(asked)
    try:
        yield
    finally:
        # The library would take it for its own sharding later.
        for name in asked:
            del os.environ[name]


def _settings(options: FSDP, precision: Precision) -> dict[str, Any]:
    settings: dict[str, Any] = {
        "mesh": _mesh(),
        "reshard_after_forward": options.sharding == "Full",
        # Gathered in half precision, summed in float32; activations are autocast's, as without FSDP.
        "mp_policy": MixedPrecisionPolicy(
            param_dtype=_HALF.get(precision), reduce_dtype=torch.float32, cast_forward_inputs=False
        ),
    }
    if options.cpu_offload and torch.cuda.is_available():
        settings["offload_policy"] = CPUOffloadPolicy()
    return settings


def _mesh() -> DeviceMesh:
    """Return all processes; a single one makes a group of its own."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if not dist.is_initialized():
        backend = "cuda:nccl,cpu:gloo" if device == "cuda" else "gloo"
        dist.init_process_group(backend, store=HashStore(), rank=0, world_size=1)
    return init_device_mesh(device, (dist.get_world_size(),))
