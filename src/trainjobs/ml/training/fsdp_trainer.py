"""The trainer of a model that FSDP has dealt out already: the library neither moves nor wraps it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from accelerate.optimizer import AcceleratedOptimizer
from torch import nn

from trainjobs.ml.training.shards import read_optimizer, read_weights
from trainjobs.ml.training.trainer import RunTrainer


class FsdpTrainer(RunTrainer):
    """Trains a dealt out model."""

    def __init__(self, **options: Any) -> None:
        """`options`: those of RunTrainer."""
        super().__init__(**options)
        # The library's own word for a model that sees to its placement and its gradients.
        self.is_distributed_loading_by_transformers = True

    def _move_model_to_device(self, model: nn.Module, device: torch.device) -> None:
        """Leave it where it is: sharding has brought it there."""

    @contextmanager
    def _defer_fsdp_gradient_reduction(self) -> Iterator[None]:
        """Defer nothing: until they are summed, every process holds gradients of the whole model."""
        yield

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: nn.Module | None = None) -> None:
        assert isinstance(self.model, nn.Module)
        read_weights(self.model, Path(resume_from_checkpoint))

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        if checkpoint is None:
            return
        assert isinstance(self.model, nn.Module)
        assert isinstance(self.optimizer, AcceleratedOptimizer)
        assert self.lr_scheduler is not None
        read_optimizer(self.model, self.optimizer.optimizer, Path(checkpoint))
        self.lr_scheduler.load_state_dict(torch.load(Path(checkpoint) / "scheduler.pt", weights_only=True))
