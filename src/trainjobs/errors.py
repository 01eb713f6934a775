"""Every error that trainjobs raises on purpose, and the exit code each one ends a program with.

    TrainjobsError
    ├── UsageError                2    the command line asks for something that cannot be
    ├── InvalidRecipe            10    a manifest or recipe is wrong: names the field and the fix
    ├── InvalidData              11    a data file is wrong: names the file and the line
    ├── ModelNotFound            12    the base model, or a file of it, is not there
    ├── AccessDenied             13    credentials are missing, wrong or insufficient
    ├── RunInUse                 14    another program drives this run already
    ├── Diverged                 20    loss or gradient became NaN or infinite
    ├── AcceleratorOutOfMemory   21    the device's memory did not suffice
    ├── Hang                     22    no step within the time allowed
    ├── TrainingError            23    the training program failed in some other way
    ├── BelowThreshold           24    the model is trained, and misses a figure that the manifest asks for
    ├── StorageUnavailable       30    storage is away
    │   ├── CorruptCheckpoint    33    a checkpoint's bytes do not match its manifest
    │   ├── Fenced               34    a newer attempt owns the run: this one must not write
    │   ├── DiskFull             35    the node's own disk is full, or cannot be written
    │   └── StorageUnusable      36    storage is there, and has no such bucket, no room, or no trust
    ├── RendezvousFailed         31    the nodes of an attempt did not find each other
    ├── HubUnavailable           32    the hub of models and data sets cannot be reached
    ├── HostOutOfMemory         137    the machine's or container's memory did not suffice
    └── Preempted               143    the node was asked to stop, and saved before it did

The message is one line for the user: what is wrong, where, and what would be right. The
exit codes are the contract between a node's agent and whoever started it.
"""

from typing import ClassVar


class TrainjobsError(Exception):
    """Base of all; `reason` is the word that conditions, events and logs carry."""

    reason: ClassVar[str] = "Error"
    exit_code: ClassVar[int] = 1


class UsageError(TrainjobsError):
    """The command line asks for something that cannot be."""

    reason = "Usage"
    exit_code = 2


class InvalidRecipe(TrainjobsError):
    """A manifest or recipe is wrong."""

    reason = "InvalidRecipe"
    exit_code = 10


class InvalidData(TrainjobsError):
    """A data file is wrong; the message names the file and the line."""

    reason = "InvalidData"
    exit_code = 11


class ModelNotFound(TrainjobsError):
    """The base model, or a file of it, is not there."""

    reason = "ModelNotFound"
    exit_code = 12


class AccessDenied(TrainjobsError):
    """Credentials are missing, wrong or insufficient."""

    reason = "AccessDenied"
    exit_code = 13


class RunInUse(TrainjobsError):
    """Another program drives this run already."""

    reason = "RunInUse"
    exit_code = 14


class Diverged(TrainjobsError):
    """Loss or gradient became NaN or infinite."""

    reason = "Diverged"
    exit_code = 20


class AcceleratorOutOfMemory(TrainjobsError):
    """The device's memory did not suffice."""

    reason = "AcceleratorOutOfMemory"
    exit_code = 21


class Hang(TrainjobsError):
    """No step within the time allowed."""

    reason = "Hang"
    exit_code = 22


class TrainingError(TrainjobsError):
    """The training program failed in some other way."""

    reason = "TrainingError"
    exit_code = 23


class BelowThreshold(TrainjobsError):
    """The model is trained and stored, and misses a figure of `spec.evaluation.thresholds`."""

    reason = "BelowThreshold"
    exit_code = 24


class StorageUnavailable(TrainjobsError):
    """Storage is away: nobody answers, or somebody who is not able to just now. It is waited for."""

    reason = "StorageUnavailable"
    exit_code = 30


class CorruptCheckpoint(StorageUnavailable):
    """A checkpoint's bytes do not match its manifest."""

    reason = "CorruptCheckpoint"
    exit_code = 33


class Fenced(StorageUnavailable):
    """A newer attempt owns the run: this one must not write."""

    reason = "Fenced"
    exit_code = 34

    def __init__(self, message: str, newest_attempt: int = 0) -> None:
        super().__init__(message)
        self.newest_attempt = newest_attempt
        """The attempt that storage knows as the run's newest; 0 where nobody says."""


class DiskFull(StorageUnavailable):
    """The node's own disk is full, or cannot be written: waiting for storage would not help."""

    reason = "DiskFull"
    exit_code = 35


class StorageUnusable(StorageUnavailable):
    """Storage is there, and does not do as it is: the bucket is missing, it is full, a clock is wrong."""

    reason = "StorageUnusable"
    exit_code = 36


class RendezvousFailed(TrainjobsError):
    """The nodes of an attempt did not find each other."""

    reason = "RendezvousFailed"
    exit_code = 31


class HubUnavailable(TrainjobsError):
    """The hub of models and data sets cannot be reached."""

    reason = "HubUnavailable"
    exit_code = 32


class HostOutOfMemory(TrainjobsError):
    """The machine's or container's memory did not suffice."""

    reason = "HostOutOfMemory"
    exit_code = 137


class Preempted(TrainjobsError):
    """The node was asked to stop, and saved before it did."""

    reason = "Preempted"
    exit_code = 143
