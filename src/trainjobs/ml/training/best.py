"""The weights of the best step, which become the result."""

import logging
from pathlib import Path
from typing import Any

from peft import PeftModel, set_peft_model_state_dict
from safetensors.torch import load_file
from torch import nn
from transformers import PreTrainedModel, TrainerState

from trainjobs.core.outputs import CHECKPOINT_PREFIX
from trainjobs.errors import CorruptCheckpoint
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
    name = ADAPTER_WEIGHTS if isinstance(model, PeftModel) else WEIGHTS
    folders = [output / f"{CHECKPOINT_PREFIX}{best}"]
    if resumed is not None:
        folders.append(resumed.parent / f"{CHECKPOINT_PREFIX}{best}")
        if _step_of(resumed) == best:
            folders.append(resumed)
    found = [folder / name for folder in folders if (folder / name).is_file()]
    if not found:
        _log.warning("the best checkpoint, of step %d, is not here: the last one is the result", best)
        return state.global_step
    load_weights(model, found[0].parent)
    return best


def load_weights(model: nn.Module, checkpoint: Path) -> None:
    """Put a checkpoint's weights, or its adapter's, into the model. CorruptCheckpoint if one is missing."""
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


def _step_of(checkpoint: Path) -> int | None:
    try:
        state = TrainerState.load_from_json(str(checkpoint / "trainer_state.json"))
    except OSError:
        return None
    return int(state.global_step)
