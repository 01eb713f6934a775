"""Sharding: the libraries' configurations for what a recipe asks."""

from typing import Any

import torch
from torch import nn
from torch.distributed.tensor import DTensor

from trainjobs.api.topology import DeepSpeed, Strategy
from trainjobs.errors import TrainingError


def sharding_arguments(strategy: Strategy) -> dict[str, Any]:
    """Return the trainer's arguments for a strategy; of FSDP it knows only how processes talk."""
    match strategy.type:
        case "DDP":
            return {}
        case "FSDP":
            # Checkpoints and offloaded gradients are gathered on hosts, beside what accelerators exchange.
            return {"ddp_backend": "cuda:nccl,cpu:gloo"} if torch.cuda.is_available() else {}
        case "DeepSpeed":
            return {"deepspeed": deepspeed_config(strategy.deep_speed or DeepSpeed())}


def deepspeed_config(options: DeepSpeed) -> dict[str, Any]:
    """Return DeepSpeed's configuration; `auto` is filled in from the trainer's arguments.

    `train_batch_size` is left out: with it ZeRO-3 fails before the process group exists.
    """
    zero: dict[str, Any] = {
        "stage": options.stage,
        "overlap_comm": torch.cuda.is_available(),
        "contiguous_gradients": True,
    }
    if options.offload == "CPU":
        zero["offload_optimizer"] = {"device": "cpu", "pin_memory": torch.cuda.is_available()}
    if options.stage == 3:
        zero["stage3_gather_16bit_weights_on_model_save"] = True
        # In proportion to the model: with DeepSpeed's own threshold small models stay copies.
        zero["stage3_param_persistence_threshold"] = "auto"
        if options.offload == "CPU":
            zero["offload_param"] = {"device": "cpu", "pin_memory": torch.cuda.is_available()}
    return {
        "zero_optimization": zero,
        "zero_allow_untested_optimizer": True,
        "zero_force_ds_cpu_optimizer": False,
        "bf16": {"enabled": "auto"},
        "fp16": {"enabled": "auto"},
        "gradient_clipping": "auto",
        "train_micro_batch_size_per_gpu": "auto",
        "gradient_accumulation_steps": "auto",
        "steps_per_print": 1_000_000_000,
    }


def shards_weights(strategy: Strategy) -> bool:
    """Return whether no process holds the whole model while it is trained."""
    if strategy.type == "DeepSpeed":
        return (strategy.deep_speed or DeepSpeed()).stage == 3
    return strategy.type == "FSDP"


def check_sharded(strategy: Strategy, model: nn.Module) -> None:
    """TrainingError when the library trains copies where shards were asked for."""
    if strategy.type == "FSDP" and not all(isinstance(p, DTensor) for p in model.parameters()):
        raise TrainingError("FSDP was asked for, but not every weight is dealt out")
    if strategy.type == "DeepSpeed":
        stage = (strategy.deep_speed or DeepSpeed()).stage
        wrapped_stage = getattr(model, "zero_optimization_stage", None)
        if wrapped_stage is None or wrapped_stage() != stage:
            raise TrainingError(f"ZeRO stage {stage} was asked for, but the library does not use it")
        if stage == 3 and not any(_is_partitioned(p) for p in model.parameters()):
            raise TrainingError("ZeRO stage 3 was asked for, but every process holds all weights")


def _is_partitioned(parameter: nn.Parameter) -> bool:
    """Whether DeepSpeed left this process only its part of a weight: the tensor itself is empty then."""
    return parameter.numel() == 0 and getattr(parameter, "ds_numel", 0) > 0
