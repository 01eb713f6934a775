"""Going on from a checkpoint: whether it is whole, and whether anything is left to do."""

import pickle
import re
import shutil
from pathlib import Path

import torch
from pydantic import ValidationError
from transformers import TrainerState
from transformers.trainer_pt_utils import safe_globals

from trainjobs.api.topology import DeepSpeed
from trainjobs.core.outputs import (
    CHECKPOINT_PREFIX,
    EXTERNAL,
    OPTIMIZER_SHARDS,
    SAVED_MARK,
    WEIGHT_SHARDS,
    SavedMark,
)
from trainjobs.core.recipe.model import Recipe
from trainjobs.errors import CorruptCheckpoint, InvalidRecipe
from trainjobs.ml.data.record import DATA_RECORD
from trainjobs.ml.modeling.cards import CARD_FILE
from trainjobs.ml.training.shards import missing_shards
from trainjobs.ml.training.snapshot import ADAPTER_WEIGHTS, WEIGHTS

_NEEDED = ("trainer_state.json", CARD_FILE, DATA_RECORD)
_OPTIMIZER = ("optimizer.pt", "scheduler.pt")
"""The library goes on without them, from a fresh optimiser, and says nothing."""
_SHARDS = "global_step*/*zero_pp_rank_*_optim_states.pt"
"""DeepSpeed writes one for each process, and each process reads its own."""
_CHECKPOINT = re.compile(rf"\.?{CHECKPOINT_PREFIX}(\d+)(\.partial)?")


def read_state(checkpoint: Path, recipe: Recipe) -> TrainerState:
    """Return the trainer's state in a checkpoint.

    CorruptCheckpoint names what is missing or unreadable; in a checkpoint that the manifest names, which is
    no better at the next attempt, that is an InvalidRecipe. So it is when DeepSpeed's shards are those of
    another number of processes.
    """
    try:
        return _read(checkpoint, recipe)
    except CorruptCheckpoint as error:
        if checkpoint.name != EXTERNAL:
            raise
        raise InvalidRecipe(f"spec.checkpoints.resume.uri: {error}") from error


def _read(checkpoint: Path, recipe: Recipe) -> TrainerState:
    needed = list(_NEEDED)
    if recipe.processes.strategy.type == "FSDP":
        needed += ["scheduler.pt"]
    if recipe.processes.strategy.type == "DDP":
        needed += [*_OPTIMIZER, WEIGHTS if recipe.adapter.type == "None" else ADAPTER_WEIGHTS]
    missing = [name for name in needed if not (checkpoint / name).is_file()]
    if missing:
        raise CorruptCheckpoint(f"{checkpoint} has no {', '.join(missing)}: resume from another checkpoint")
    if recipe.processes.strategy.type == "DeepSpeed":
        _check_shards(checkpoint, recipe)
    else:
        if recipe.processes.strategy.type == "FSDP":
            _check_dealt_out(checkpoint)
        _check_pickles(checkpoint)
    try:
        state: TrainerState = TrainerState.load_from_json(str(checkpoint / "trainer_state.json"))
    except (ValueError, TypeError) as error:
        raise CorruptCheckpoint(f"{checkpoint}/trainer_state.json cannot be read: {error}") from error
    return state


def _check_pickles(checkpoint: Path) -> None:
    """CorruptCheckpoint names the file that is damaged, or that would run code when it is loaded.

    The library refuses such files too, in the middle of its start and without their names.
    """
    for path in sorted([*checkpoint.glob("*.pt"), *checkpoint.glob("*.pth")]):
        try:
            with safe_globals():  # type: ignore[no-untyped-call]
                # What lies behind the tensors stays on the disk.
                torch.load(path, weights_only=True, map_location="cpu", mmap=True)
        except pickle.UnpicklingError as error:
            raise CorruptCheckpoint(
                f"{path}: holds more than tensors and numbers, and could run code when it is loaded;"
                " it was not loaded: resume from a checkpoint that you trust"
            ) from error
        except (RuntimeError, OSError, EOFError) as error:
            raise CorruptCheckpoint(f"{path}: damaged or cut off; resume from another checkpoint") from error


def _check_shards(checkpoint: Path, recipe: Recipe) -> None:
    stage = (recipe.processes.strategy.deep_speed or DeepSpeed()).stage
    if stage == 0:
        return
    saved, processes = _saved_by(checkpoint), recipe.processes.world_size
    if saved != processes:
        raise InvalidRecipe(
            f"spec.topology: {checkpoint.name} was saved by {saved} processes, and DeepSpeed cannot go on"
            f" from it with {processes}: set nodes x processesPerNode to {saved} again,"
            " or begin anew with spec.checkpoints.resume: Never"
        )
    if len(list(checkpoint.glob(_SHARDS))) < recipe.processes.per_node:
        raise CorruptCheckpoint(
            f"{checkpoint} lacks optimizer shards of this node's processes: resume from another checkpoint"
        )


def _check_dealt_out(checkpoint: Path) -> None:
    missing = [
        file for kind in (WEIGHT_SHARDS, OPTIMIZER_SHARDS) for file in missing_shards(checkpoint, kind)
    ]
    if missing:
        raise CorruptCheckpoint(f"{checkpoint} has no {', '.join(missing)}: resume from another checkpoint")


def _saved_by(checkpoint: Path) -> int:
    try:
        return SavedMark.from_json((checkpoint / SAVED_MARK).read_bytes()).processes
    except (OSError, ValidationError) as error:
        raise CorruptCheckpoint(f"{checkpoint}/{SAVED_MARK} cannot be read: {error}") from error


def forget_after(output: Path, step: int) -> None:
    """Remove what an earlier attempt left of steps after `step`: it is trained anew.

    A checkpoint of a later step that was never complete in storage would otherwise be taken for
    one of this attempt.
    """
    for folder in output.iterdir():
        match = _CHECKPOINT.fullmatch(folder.name)
        if match and folder.is_dir() and (match[2] or int(match[1]) > step):
            shutil.rmtree(folder)
