"""Taking checkpoints of a trainer, by our own staged saver or by a sharding library."""

import logging
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, cast

import torch
import torch.distributed as dist
from accelerate.optimizer import AcceleratedOptimizer
from torch import Tensor, nn
from transformers import Trainer

from trainjobs.api.topology import Strategy
from trainjobs.core.outputs import CHECKPOINT_PREFIX, SAVED_MARK, SavedMark
from trainjobs.ml.training.callbacks.history import figures_of
from trainjobs.ml.training.files import write_record
from trainjobs.ml.training.past import past_of
from trainjobs.ml.training.saver import SaveFigures, Saver, Snapshot
from trainjobs.ml.training.shards import write_shards
from trainjobs.ml.training.snapshot import random_file, random_files, random_state, state_text, weights_of
from trainjobs.ml.training.staging import HostCopy

_log = logging.getLogger("trainjobs.training")
_SAVING = ".saving"


class Checkpoints(Protocol):
    """How a trainer's state gets to disk."""

    figures: SaveFigures

    def save(self, trainer: Trainer) -> None:
        """Take a checkpoint of the state as it is now. Every process has to call it."""

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, *_: object) -> None:
        """Wait for what is still being written."""


class StagedCheckpoints:
    """For models of which every process holds all: one process and DDP."""

    def __init__(self, output: Path, constants: Path) -> None:
        self._output = output
        self._saver = Saver(output, constants)
        self._copy = HostCopy()
        self.figures = self._saver.figures

    def save(self, trainer: Trainer) -> None:
        """Copy the state to host memory, which is all that training waits for, and start writing."""
        started = time.monotonic()
        states = _gather(random_state(distributed=trainer.args.world_size > 1))
        if not trainer.is_world_process_zero():
            return
        self._saver.wait()
        snapshot = self._take(trainer, states, started)
        self._saver.write(snapshot)
        self.figures.blocked_seconds += snapshot.mark.blocked_seconds
        _log.info(
            "step=%d checkpoint taken, training waited %.3f s", snapshot.step, snapshot.mark.blocked_seconds
        )

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, *_: object) -> None:
        """Wait for the last checkpoint."""
        self._saver.wait()

    def _take(self, trainer: Trainer, states: list[dict[str, object]], started: float) -> Snapshot:
        name, weights = weights_of(trainer.accelerator.unwrap_model(trainer.model))
        assert trainer.optimizer is not None
        assert trainer.lr_scheduler is not None
        tree: dict[str, object] = {"weights": weights, "optimizer.pt": trainer.optimizer.state_dict()}
        tree["scheduler.pt"] = trainer.lr_scheduler.state_dict()
        if trainer.accelerator.scaler is not None:
            tree["scaler.pt"] = trainer.accelerator.scaler.state_dict()
        copied = cast(dict[str, Any], self._copy.take(tree))
        texts = {"trainer_state.json": state_text(trainer.state), **past_of(self._output)}
        return Snapshot(
            step=trainer.state.global_step,
            weights=cast(dict[str, Tensor], copied.pop("weights")),
            weights_file=name,
            pickles=copied | random_files(states),
            texts=texts,
            mark=_mark(trainer, time.monotonic() - started),
        )


class AwaitedCheckpoints:
    """For sharded models: every process writes what it holds, and training waits for all of them."""

    def __init__(self, output: Path, constants: Path, write: Callable[[Trainer, Path], None]) -> None:
        """`write`: writes this process's part of a checkpoint into a folder; all processes call it."""
        self._output = output
        self._constants = constants
        self._write = write
        self.figures = SaveFigures()

    def save(self, trainer: Trainer) -> None:
        """Have it written aside, then give the folder its name."""
        started = time.monotonic()
        name = f"{CHECKPOINT_PREFIX}{trainer.state.global_step}"
        written = self._output / _SAVING / name
        if trainer.is_local_process_zero():
            # An attempt that was killed while it saved may have left some.
            shutil.rmtree(written, ignore_errors=True)
        _barrier()
        self._write(trainer, written)
        _barrier()
        if trainer.is_local_process_zero():
            if trainer.is_world_process_zero():
                # What is the same for all: the other nodes add what their own processes have.
                shutil.copytree(self._constants, written, dirs_exist_ok=True)
                for file, text in past_of(self._output).items():
                    (written / file).write_text(text, encoding="utf-8")
            blocked = time.monotonic() - started
            write_record(written / SAVED_MARK, _mark(trainer, blocked))
            target = self._output / name
            shutil.rmtree(target, ignore_errors=True)
            written.rename(target)
            self.figures.saved.append(trainer.state.global_step)
            self.figures.blocked_seconds += blocked
        _barrier()

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, *_: object) -> None:
        """Nothing is left to do."""


def checkpoints_of(strategy: Strategy, output: Path, constants: Path) -> Checkpoints:
    """Return how a training with this strategy saves."""
    match strategy.type:
        case "DDP":
            return StagedCheckpoints(output, constants)
        case "FSDP":
            return AwaitedCheckpoints(output, constants, _write_shards)
        case "DeepSpeed":
            return AwaitedCheckpoints(output, constants, _write_by_library)


def _write_by_library(trainer: Trainer, folder: Path) -> None:
    """Let the library write all: DeepSpeed has a way of its own."""
    output = trainer.args.output_dir
    trainer.args.output_dir = str(folder.parent)
    try:
        Trainer._save_checkpoint(trainer, cast(nn.Module, trainer.model), None)
    finally:
        trainer.args.output_dir = output


def _write_shards(trainer: Trainer, folder: Path) -> None:
    assert isinstance(trainer.model, nn.Module)
    assert isinstance(trainer.optimizer, AcceleratedOptimizer)
    assert trainer.lr_scheduler is not None
    folder.mkdir(parents=True, exist_ok=True)
    write_shards(
        trainer.model, trainer.optimizer.optimizer, folder, local_leader=trainer.is_local_process_zero()
    )
    processes, rank = trainer.args.world_size, trainer.args.process_index
    torch.save(random_state(distributed=processes > 1), folder / random_file(rank, processes))
    if trainer.is_world_process_zero():
        torch.save(trainer.lr_scheduler.state_dict(), folder / "scheduler.pt")
        if trainer.accelerator.scaler is not None:
            torch.save(trainer.accelerator.scaler.state_dict(), folder / "scaler.pt")
        (folder / "trainer_state.json").write_text(state_text(trainer.state), encoding="utf-8")


def _barrier() -> None:
    if dist.is_initialized():
        dist.barrier()


def _mark(trainer: Trainer, blocked: float) -> SavedMark:
    state = trainer.state
    measured = [e for e in state.log_history if e["step"] == state.global_step and "eval_loss" in e]
    return SavedMark(
        step=state.global_step,
        epoch=state.epoch or 0.0,
        metrics=figures_of(measured[-1]) if measured else {},
        blocked_seconds=blocked,
        processes=trainer.args.world_size,
    )


def _gather(state: dict[str, object]) -> list[dict[str, object]]:
    """Return the states of all processes, in the order of their ranks, on rank 0; others get their own."""
    if not (dist.is_initialized() and dist.get_world_size() > 1):
        return [state]
    states: list[Any] | None = [None] * dist.get_world_size() if dist.get_rank() == 0 else None
    dist.gather_object(state, states)
    return states or [state]
