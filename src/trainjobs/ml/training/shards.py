"""Weights and optimiser of an FSDP model on disk: each process writes its shards, and reads what it needs.

The format is torch's distributed checkpoint (DCP): a folder of `__RANK_0.distcp` with a `.metadata` that says
what lies where, so that another number of processes can read it too.
"""

import io
import pickle
from pathlib import Path
from typing import Any, Final, cast

import torch
import torch.distributed as dist
from peft import PeftModel
from torch import Tensor, nn
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.default_planner import DefaultLoadPlanner, DefaultSavePlanner
from torch.distributed.checkpoint.filesystem import FileSystemReader, FileSystemWriter
from torch.distributed.checkpoint.metadata import Metadata, StorageMeta
from torch.distributed.checkpoint.planner import ReadItem
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_model_state_dict,
    get_optimizer_state_dict,
    set_model_state_dict,
    set_optimizer_state_dict,
)
from torch.distributed.checkpoint.state_dict_loader import load
from torch.distributed.checkpoint.state_dict_saver import save
from torch.distributed.tensor import DTensor
from torch.optim import Optimizer

from trainjobs.core.outputs import OPTIMIZER_SHARDS, WEIGHT_SHARDS
from trainjobs.errors import CorruptCheckpoint

_METADATA: Final = ".metadata"
_DESCRIBES: Final = "torch.distributed.checkpoint.metadata"
_HARMLESS: Final = {
    ("torch.distributed.checkpoint.filesystem", "_StorageInfo"),
    ("torch.serialization", "_get_layout"),
    ("torch", "Size"),
    ("pathlib", "PosixPath"),
}


def write_shards(model: nn.Module, optimizer: Optimizer, checkpoint: Path, *, local_leader: bool) -> None:
    """Write this process's shards of weights and optimiser below `checkpoint`. Every process has to call it.

    `local_leader`: whether it is the first process of its node.
    """
    for folder, state in (
        (checkpoint / WEIGHT_SHARDS, _weights(model)),
        (checkpoint / OPTIMIZER_SHARDS, get_optimizer_state_dict(model, optimizer)),
    ):
        _write(state, folder)
        _give_metadata(folder, local_leader=local_leader)


def read_weights(model: nn.Module, checkpoint: Path, *, alone: bool = False) -> None:
    """Put a checkpoint's weights into a model: every process into its part, or one into the whole of it.

    CorruptCheckpoint says what is missing or damaged.
    """
    state = _weights(model)
    _read(state, checkpoint / WEIGHT_SHARDS, alone=alone)
    # Frozen weights are not in it.
    set_model_state_dict(model, state, options=StateDictOptions(strict=not isinstance(model, PeftModel)))


def read_own_weights(model: nn.Module, checkpoint: Path) -> None:
    """Put what this process wrote back into its part of the model. Every process has to call it."""
    # What all hold alike (buffers) lies with rank 0's shards, and is no weight.
    state: dict[str, Any] = {
        name: value for name, value in _weights(model).items() if isinstance(value, DTensor)
    }
    _read(state, checkpoint / WEIGHT_SHARDS)
    set_model_state_dict(model, state, options=StateDictOptions(strict=False))


def read_optimizer(model: nn.Module, optimizer: Optimizer, checkpoint: Path) -> None:
    """Put a checkpoint's optimiser state into this process's optimiser. Every process has to call it."""
    state = get_optimizer_state_dict(model, optimizer)
    _read(state, checkpoint / OPTIMIZER_SHARDS)
    set_optimizer_state_dict(model, optimizer, state)


def gathered_weights(model: nn.Module) -> dict[str, Tensor]:
    """Return all weights in host memory on rank 0, an empty dict elsewhere. Every process has to call it."""
    whole = StateDictOptions(full_state_dict=True, cpu_offload=True)
    return cast(dict[str, Tensor], get_model_state_dict(model, options=whole))


def missing_shards(checkpoint: Path, kind: str, rank: int | None = None) -> list[str]:
    """Return which files of a checkpoint's shards are not here: of all ranks, or those that one wrote.

    CorruptCheckpoint when the folder does not say which there are.
    """
    held = _read_metadata(checkpoint / kind).storage_data
    names = sorted({info.relative_path for info in held.values()})
    mine = [name for name in names if rank is None or name.startswith(f"__{rank}_")]
    return [f"{kind}/{name}" for name in mine if not (checkpoint / kind / name).is_file()]


def _weights(model: nn.Module) -> dict[str, Any]:
    options = StateDictOptions(ignore_frozen_params=isinstance(model, PeftModel))
    return dict(get_model_state_dict(model, options=options))


def _write(state: dict[str, Any], folder: Path) -> None:
    # What all hold alike lies with rank 0's shards, so that a process needs those and its own.
    planner = DefaultSavePlanner(dedup_save_to_lowest_rank=True)
    try:
        save(state, storage_writer=FileSystemWriter(folder), planner=planner)
    except CheckpointException as error:
        # Every process hears of the first that failed.
        raise _cause(error) from error


def _cause(error: CheckpointException) -> BaseException:
    return next(iter(error.failures.values()))[0]


def _read(state: dict[str, Any], folder: Path, *, alone: bool = False) -> None:
    try:
        load(state, storage_reader=_Reader(folder), planner=_Planner(), no_dist=alone)
    except CheckpointException as error:
        first = str(_cause(error)).strip().split("\n", 1)[0]
        raise CorruptCheckpoint(f"{folder}: {first}") from error


def _give_metadata(folder: Path, *, local_leader: bool) -> None:
    """Leave on every node what rank 0 wrote of where everything lies."""
    path = folder / _METADATA
    held = [path.read_bytes() if dist.get_rank() == 0 else b""]
    dist.broadcast_object_list(held, src=0)
    if local_leader and not path.exists():
        path.write_bytes(held[0])


class _Reader(FileSystemReader):
    """Reads metadata that describes shards, and nothing that would run code."""

    def read_metadata(self, *_: Any, **__: Any) -> Metadata:
        metadata = _read_metadata(Path(self.path))
        metadata.storage_meta = metadata.storage_meta or StorageMeta()
        metadata.storage_meta.load_id = self.load_id
        return metadata


class _Planner(DefaultLoadPlanner):
    """Takes numbers and texts beside tensors, and nothing that would run code."""

    def load_bytes(self, read_item: ReadItem, value: io.BytesIO) -> None:
        torch.load(value, weights_only=True)
        value.seek(0)
        super().load_bytes(read_item, value)


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        found = super().find_class(module, name)
        describes = module == _DESCRIBES and isinstance(found, type)
        if describes or (module, name) in _HARMLESS or isinstance(found, torch.dtype):
            return found
        raise pickle.UnpicklingError(f"{module}.{name} is no part of it")


def _read_metadata(folder: Path) -> Metadata:
    path = folder / _METADATA
    try:
        with path.open("rb") as stream:
            metadata = _Unpickler(stream).load()
    except (OSError, pickle.UnpicklingError, EOFError, AttributeError, ValueError) as error:
        raise CorruptCheckpoint(f"{path} cannot be read: {error}") from error
    assert isinstance(metadata, Metadata)
    return metadata
