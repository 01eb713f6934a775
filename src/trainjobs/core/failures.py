"""How an attempt and a run can fail: what each failure costs, and what the user is told to do about it."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from trainjobs.api.conditions import Milestone, Reason


class Budget(StrEnum):
    """Which limit of `runPolicy` a new attempt counts against."""

    NONE = "None"
    """No new attempt: it would fail the same way."""
    RESTARTS = "Restarts"
    """`maxRestarts`: errors of the run itself."""
    INFRASTRUCTURE = "InfrastructureRestarts"
    """`maxInfrastructureRestarts`: what the run did nothing for."""
    WAITS = "Waits"
    """No limit but the run's deadlines: it is waited for, ever longer between two attempts."""


@dataclass(frozen=True, slots=True)
class FailureKind:
    """What follows from one reason."""

    reason: Reason
    exit_code: int | None
    """Of the agent; None for what no agent can see."""
    budget: Budget
    """Of a run that may never have worked."""
    advice: str
    waits_after: Milestone | None = None
    """What shows that the run is not to blame: after it, the failure is waited out. None: nothing does."""
    before_training: bool = False
    """Only where the attempt failed before its training was launched: later, the same word means another
    thing."""

    @property
    def permanent(self) -> bool:
        """Whether a new attempt of a run that may never have worked would fail the same way."""
        return self.budget is Budget.NONE

    def budget_after(self, reached: Milestone, *, launched: bool) -> Budget:
        """Which limit a new attempt counts against.

        Args:
            reached: how far the run has ever come.
            launched: whether the attempt that failed had launched its training, as far as is known.
        """
        if self.waits_after is None or (self.before_training and launched):
            return self.budget
        return Budget.WAITS if reached.is_past(self.waits_after) else self.budget


_KINDS: Final = (
    FailureKind(
        Reason.INVALID_RECIPE,
        10,
        Budget.NONE,
        "Correct the field that the message names and make a new run.",
        waits_after=Milestone.PREPARED,
        before_training=True,
    ),
    FailureKind(
        Reason.INVALID_DATA,
        11,
        Budget.NONE,
        "Correct what the message names, then make a new run.",
        waits_after=Milestone.PREPARED,
        before_training=True,
    ),
    FailureKind(
        Reason.MODEL_NOT_FOUND,
        12,
        Budget.NONE,
        "Check spec.baseModel: its name and revision, whether this cluster reaches the place it names, and "
        "whether its files are whole.",
        waits_after=Milestone.PREPARED,
        before_training=True,
    ),
    FailureKind(
        Reason.ACCESS_DENIED,
        13,
        Budget.NONE,
        "Check the Secret that the run names and what its credentials may do.",
        waits_after=Milestone.PREPARED,
    ),
    FailureKind(
        Reason.DIVERGED,
        20,
        Budget.NONE,
        "Lower the learning rate, use bf16 instead of fp16, and look at the data around that step. "
        "The last good checkpoint is kept.",
    ),
    FailureKind(
        Reason.ACCELERATOR_OUT_OF_MEMORY,
        21,
        Budget.NONE,
        "Use a smaller batchSizePerDevice with more gradientAccumulationSteps, gradientCheckpointing, "
        "FSDP or DeepSpeed ZeRO, or a shorter dataset.maxLength; "
        "runPolicy.onOutOfMemory: HalveBatch does the first by itself.",
    ),
    FailureKind(
        Reason.HANG,
        22,
        Budget.RESTARTS,
        "The stacks are in the log. Usual causes: one rank waits for another that left, a slow data source, "
        "or steps longer than runPolicy.hangTimeoutSeconds.",
    ),
    FailureKind(Reason.TRAINING_ERROR, 23, Budget.RESTARTS, "Read the last lines of the log."),
    FailureKind(
        Reason.BELOW_THRESHOLD,
        24,
        Budget.NONE,
        "Model and report are in storage: look at the report's findings and train differently in a new run, "
        "or correct spec.evaluation.thresholds.",
    ),
    FailureKind(
        Reason.STORAGE_UNAVAILABLE,
        30,
        Budget.WAITS,
        "Look at the store, and at the way to it: the endpoint of spec.checkpoints.storage, DNS, "
        "NetworkPolicies.",
    ),
    FailureKind(
        Reason.STORAGE_UNUSABLE,
        36,
        Budget.INFRASTRUCTURE,
        "Do what the message says: make the bucket, free some space, set the clock right, or name the "
        "certificate's authority.",
        waits_after=Milestone.PREPARED,
    ),
    FailureKind(
        Reason.CORRUPT_CHECKPOINT,
        33,
        Budget.INFRASTRUCTURE,
        "Look at the store behind spec.checkpoints.storage, and at the machine: what was read is not what "
        "was written.",
    ),
    FailureKind(
        Reason.FENCED,
        34,
        Budget.INFRASTRUCTURE,
        "Another attempt of this run is at work: if this goes on, find the second cluster or program that "
        "drives it.",
    ),
    FailureKind(
        Reason.DISK_FULL,
        35,
        Budget.INFRASTRUCTURE,
        "Give spec.workspace.size more, keep fewer checkpoints, or look at the machine's disk.",
    ),
    FailureKind(
        Reason.RENDEZVOUS_FAILED,
        31,
        Budget.INFRASTRUCTURE,
        "Check that the nodes reach each other: NetworkPolicies, DNS, the network interface NCCL uses.",
    ),
    FailureKind(
        Reason.HUB_UNAVAILABLE,
        32,
        Budget.INFRASTRUCTURE,
        "Name a mirror in HF_ENDPOINT or a proxy in HTTPS_PROXY (spec.runtime.env), or give a folder or "
        "bucket that holds what was to come from the hub; docs/hubs.md has the rest.",
        waits_after=Milestone.PREPARED,
    ),
    FailureKind(
        Reason.HOST_OUT_OF_MEMORY,
        137,
        Budget.RESTARTS,
        "Raise spec.resources.limits.memory, or use fewer data workers and a smaller batch.",
    ),
    FailureKind(
        Reason.PREEMPTED,
        143,
        Budget.INFRASTRUCTURE,
        "Nothing to do: training goes on from the newest checkpoint. "
        "A higher runPolicy.priorityClassName makes it rarer.",
    ),
    FailureKind(
        Reason.EVICTED,
        None,
        Budget.INFRASTRUCTURE,
        "Look at the machine: pressure on its memory or disk, a drain, or a taint.",
    ),
    FailureKind(Reason.NODE_LOST, None, Budget.INFRASTRUCTURE, "Look at the machine: it stopped answering."),
    FailureKind(
        Reason.POD_LOST,
        None,
        Budget.INFRASTRUCTURE,
        "Find out who deletes the run's jobs or pods; to stop a run, set spec.runPolicy.suspend.",
    ),
    FailureKind(
        Reason.IMAGE_PULL_FAILED,
        None,
        Budget.NONE,
        "Check spec.runtime.image and its imagePullSecrets, then make a new run.",
        waits_after=Milestone.STARTED,
    ),
    FailureKind(
        Reason.SCHEDULING_TIMEOUT,
        None,
        Budget.NONE,
        "Ask for less in spec.resources, free room in the cluster, or raise "
        "runPolicy.schedulingTimeoutSeconds.",
    ),
    FailureKind(
        Reason.START_TIMEOUT,
        None,
        Budget.RESTARTS,
        "See in the log what the nodes wait for; a large model or data set may need a longer "
        "runPolicy.startTimeoutSeconds.",
    ),
    FailureKind(
        Reason.NODE_NOT_STARTED,
        None,
        Budget.RESTARTS,
        "See in the message what its machine waits for: a Secret, a ConfigMap or a volume that the pod "
        "names.",
        waits_after=Milestone.STARTED,
    ),
    FailureKind(
        Reason.DEADLINE_EXCEEDED,
        None,
        Budget.NONE,
        "Make a new run that resumes from the newest checkpoint (spec.checkpoints.resume), with a longer "
        "runPolicy.activeDeadlineSeconds.",
    ),
    FailureKind(
        Reason.DEPENDENCY_FAILED,
        None,
        Budget.NONE,
        "Look at why the other run failed, then make both anew.",
    ),
    FailureKind(
        Reason.DEPENDENCY_MISSING,
        None,
        Budget.NONE,
        "Make the other run first, or start from a model by its uri.",
    ),
    FailureKind(
        Reason.INVALID_SPEC,
        None,
        Budget.NONE,
        "Correct the field that the message names and make a new run.",
    ),
    FailureKind(
        Reason.POLICY_DENIED,
        None,
        Budget.NONE,
        "Remove what the message names, or ask those who run this platform to allow it.",
    ),
    FailureKind(
        Reason.UNSUPPORTED,
        None,
        Budget.NONE,
        "Ask for what this version trains (docs/reference/trained.md), give a training script of your own as "
        "spec.runtime.command, or wait for a version that trains it; then make a new run.",
    ),
    FailureKind(Reason.UNKNOWN, None, Budget.RESTARTS, "Read the last lines of the pod's log."),
)

TABLE: Final[Mapping[Reason, FailureKind]] = MappingProxyType({kind.reason: kind for kind in _KINDS})
"""Every way to fail."""

_BY_EXIT_CODE: Final[Mapping[int, FailureKind]] = MappingProxyType(
    {kind.exit_code: kind for kind in _KINDS if kind.exit_code is not None}
)


def kind_of(reason: str) -> FailureKind:
    """The kind of failure that `reason` names; `Unknown` for a word that no version of ours writes."""
    try:
        return TABLE.get(Reason(reason), TABLE[Reason.UNKNOWN])
    except ValueError:
        return TABLE[Reason.UNKNOWN]


def kind_of_exit(exit_code: int) -> FailureKind:
    """The kind of failure that an agent's exit code alone tells.

    137 alone tells nothing: whatever is killed by SIGKILL ends with it, for want of memory or not.
    """
    if exit_code == TABLE[Reason.HOST_OUT_OF_MEMORY].exit_code:
        return TABLE[Reason.UNKNOWN]
    return _BY_EXIT_CODE.get(exit_code, TABLE[Reason.UNKNOWN])
