"""Every end of a training that was not planned, in the words of `trainjobs.errors`."""

import errno
import os
from pathlib import Path

import torch
from safetensors import SafetensorError

from trainjobs.core.outputs import FAILURE, Failure
from trainjobs.errors import (
    AcceleratorOutOfMemory,
    DiskFull,
    Diverged,
    HostOutOfMemory,
    Preempted,
    TrainingError,
    TrainjobsError,
)
from trainjobs.ml.training.files import write_record

_ADVICE: dict[type[TrainjobsError], str] = {
    Diverged: "Lower spec.training.learningRate, add warmupRatio, look at the rows; BF16 instead of FP16.",
    AcceleratorOutOfMemory: (
        "Smaller spec.training.batchSizePerDevice with more gradientAccumulationSteps,"
        " gradientCheckpointing: true, a shorter spec.dataset.maxLength, LoRA,"
        " or spec.topology.strategy DeepSpeed or FSDP."
    ),
    HostOutOfMemory: "More memory for the node, fewer dataWorkers, or a smaller batch.",
    DiskFull: "Free space where the run's outputs go, then run it again: it goes on where it was.",
    Preempted: "Run it again: it goes on from the checkpoint just saved.",
}


def classify(error: BaseException) -> TrainjobsError:
    """Return the error of ours that says what happened."""
    match error:
        case TrainjobsError():
            return error
        case torch.OutOfMemoryError():
            return AcceleratorOutOfMemory(f"the device's memory did not suffice: {_first_line(error)}")
        case MemoryError():
            return HostOutOfMemory("the machine's memory did not suffice")
        case OSError() if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return DiskFull(f"the disk is full: {error}")
        case SafetensorError() | RuntimeError() if "No space left" in str(error):
            return DiskFull(f"the disk is full: {_first_line(error)}")
        case RuntimeError() if "not enough memory" in str(error):
            return HostOutOfMemory(f"the machine's memory did not suffice: {_first_line(error)}")
        case _:
            return TrainingError(f"{type(error).__name__}: {_first_line(error)}")


def write_failure(output: Path, error: TrainjobsError) -> None:
    """Write `failure.json` unless another process was first: what fails first is the cause."""
    advice = next((text for kind, text in _ADVICE.items() if isinstance(error, kind)), "")
    aside = output / f".{FAILURE}.{os.getpid()}"
    write_record(aside, Failure(reason=error.reason, message=str(error), advice=advice))
    try:
        os.link(aside, output / FAILURE)
    except FileExistsError:
        return
    finally:
        aside.unlink()


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else "no message"
