"""The weights of the best step, which become the result."""

import logging
from pathlib import Path
from typing import Any

from peft import PeftModel, set_peft_model_state_dict
from pydantic import ValidationError
from safetensors.torch import load_file
from torch import nn
from transformers import PreTrainedModel, Trainer, TrainerState

from trainjobs.core.outputs import CHECKPOINT_PREFIX, SAVED_MARK, WEIGHT_SHARDS, SavedMark
from trainjobs.errors import CorruptCheckpoint
from trainjobs.ml.training.processes import Processes
from trainjobs.ml.training.shards import missing_shards, read_own_weights, read_weights
from trainjobs.ml.training.snapshot import ADAPTER_WEIGHTS, WEIGHTS

_log = logging.getLogger("trainjobs.training")


def load_best(model: nn.Module, state: TrainerState, output: Path, resumed: Path | None) -> int:
    """Put the best step's weights into the model; return the step whose weights it holds then.

    Args:
        model: as training left it.
        state: the trainer's state at the end.
        output: the run's folder.
        resumed: the checkpoint that training went on from; it, or one beside it, may be the best.

    A best checkpoint that is nowhere (a run that went on elsewhere) is said, and the last weights stay.
    """
    best = state.best_global_step
    if best is None or best == state.global_step:
        return state.global_step
    folders = [output / f"{CHECKPOINT_PREFIX}{best}"]
    if resumed is not None:
        folders.append(resumed.parent / f"{CHECKPOINT_PREFIX}{best}")
        if _step_of(resumed) == best:
            folders.append(resumed)
    found = [folder for folder in folders if _holds_weights(folder, model)]
    if not found:
        _log.warning("the best checkpoint, of step %d, is not here: the last one is the result", best)
        return state.global_step
    load_weights(model, found[0])
    return best


def take_best_shards(trainer: Trainer, output: Path) -> bool:
    """Put the best step's weights into a dealt out model, each process its part; return whether it was done.

    It is where every node still has its own part of that checkpoint. Every process has to call it.
    """
    best = trainer.state.best_global_step
    if best is None or best == trainer.state.global_step:
        return False
    folder = output / f"{CHECKPOINT_PREFIX}{best}"
    if not all(Processes().gathered(_has_own_shards(folder, trainer))):
        return False
    assert isinstance(trainer.model, nn.Module)
    read_own_weights(trainer.model, folder)
    return True


def _has_own_shards(folder: Path, trainer: Trainer) -> bool:
    """Whether the shards that this process wrote are here, and deal the weights out as they are now."""
    try:
        mark = SavedMark.from_json((folder / SAVED_MARK).read_bytes())
        missing = missing_shards(folder, WEIGHT_SHARDS, trainer.args.process_index)
    except (OSError, ValidationError, CorruptCheckpoint):
        return False
    return mark.processes == trainer.args.world_size and not missing


def load_weights(model: nn.Module, checkpoint: Path) -> None:
    """Put a checkpoint's weights, or its adapter's, into the model. CorruptCheckpoint if one is missing."""
    if (checkpoint / WEIGHT_SHARDS).is_dir():
        read_weights(model, checkpoint, alone=True)
        return
    if isinstance(model, PeftModel):
        set_peft_model_state_dict(model, load_file(checkpoint / ADAPTER_WEIGHTS))
        return
    assert isinstance(model, PreTrainedModel)
    # The library saves some weights under older names (LayerNorm.beta), which only it translates.
    loaded: Any = type(model).from_pretrained(
        checkpoint, config=model.config, dtype=model.dtype, local_files_only=True, output_loading_info=True
    )
    saved, info = loaded
    if info["missing_keys"]:
        raise CorruptCheckpoint(f"{checkpoint} has no {sorted(info['missing_keys'])[0]}")
    model.load_state_dict(saved.state_dict())


def _holds_weights(folder: Path, model: nn.Module) -> bool:
    if (folder / WEIGHT_SHARDS).is_dir():
        return not missing_shards(folder, WEIGHT_SHARDS)
    return (folder / (ADAPTER_WEIGHTS if isinstance(model, PeftModel) else WEIGHTS)).is_file()


def _step_of(checkpoint: Path) -> int | None:
    try:
        state = TrainerState.load_from_json(str(checkpoint / "trainer_state.json"))
    except OSError:
        return None
    return int(state.global_step)
