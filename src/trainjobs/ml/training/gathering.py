"""A sharded model made whole again, for what is done with it after training."""

import logging
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from accelerate.utils import DistributedType
from torch import Tensor, nn
from transformers import Trainer
from transformers.integrations.deepspeed import unset_hf_deepspeed_config

from trainjobs.errors import TrainingError
from trainjobs.ml.modeling.adapters import Model
from trainjobs.ml.training.best import load_weights
from trainjobs.ml.training.shards import gathered_weights

_log = logging.getLogger("trainjobs.training")


def gather_weights(trainer: Trainer) -> dict[str, Tensor]:
    """Return all weights of a sharded model in host memory, on rank 0; other ranks get an empty dict.

    Every process has to call it, after training.
    """
    if trainer.accelerator.distributed_type == DistributedType.DEEPSPEED:
        gathered = trainer.accelerator.get_state_dict(trainer.model_wrapped)
    else:
        assert isinstance(trainer.model, nn.Module)
        gathered = gathered_weights(trainer.model)
    if not trainer.is_world_process_zero():
        return {}
    weights = {name: tensor.detach().cpu() for name, tensor in gathered.items()}
    _log.info("gathered %d weights of %d processes", len(weights), trainer.args.world_size)
    return weights


def whole_model(build: Callable[[], Model], weights: Mapping[str, Tensor]) -> Model:
    """Build the model once more, unsharded and in this process alone, with the gathered weights.

    TrainingError when a weight was not gathered: the model would end with a random one.
    """
    model = _build_unsharded(build)
    missing = [name for name, _ in model.named_parameters() if name not in weights]
    if missing:
        raise TrainingError(f"{len(missing)} weights were not gathered, {missing[0]} first")
    with torch.no_grad():
        model.load_state_dict(dict(weights), strict=False)
    return model


def saved_model(build: Callable[[], Model], checkpoint: Path) -> Model:
    """Build the model once more, unsharded, with the weights that a checkpoint holds gathered."""
    model = _build_unsharded(build)
    load_weights(model, checkpoint)
    return model


def _build_unsharded(build: Callable[[], Model]) -> Model:
    # As long as it is set, the library shards every model that it loads.
    unset_hf_deepspeed_config()  # type: ignore[no-untyped-call]
    return build()
