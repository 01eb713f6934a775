"""Condition types, phases and the one list of reasons that conditions and events carry."""

from enum import StrEnum


class ConditionType(StrEnum):
    """What can be said of a run; the truth, where `phase` is display only."""

    ACCEPTED = "Accepted"
    DEPENDENCIES_READY = "DependenciesReady"
    SCHEDULED = "Scheduled"
    RUNNING = "Running"
    SYNCED = "Synced"
    FINISHED = "Finished"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    HEALTHY = "Healthy"
    CLEANED_UP = "CleanedUp"


class Phase(StrEnum):
    """One word for a column."""

    PENDING = "Pending"
    WAITING = "Waiting"
    QUEUED = "Queued"
    STARTING = "Starting"
    RUNNING = "Running"
    RESTARTING = "Restarting"
    SUSPENDED = "Suspended"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"


class Milestone(StrEnum):
    """What a run has come past, in order: what it has come past once cannot be wrong with the run itself."""

    NOTHING = ""
    STARTED = "Started"
    """A container of it has run: its image can be had, and so can what its pods mount and refer to."""
    PREPARED = "Prepared"
    """An attempt was claimed in storage, and every node had its model and data."""
    TRAINED = "Trained"
    """A step was made."""

    def is_past(self, other: "Milestone") -> bool:
        """Whether a run that has come this far has come as far as `other`."""
        order = list(Milestone)
        return order.index(self) >= order.index(other)


class Reason(StrEnum):
    """Why a condition holds, an event was written, or an attempt ended."""

    # life of a run
    ACCEPTED = "Accepted"
    WAITING_FOR_DEPENDENCY = "WaitingForDependency"
    DEPENDENCIES_READY = "DependenciesReady"
    ATTEMPT_CREATED = "AttemptCreated"
    QUEUED = "Queued"
    PENDING = "Pending"
    SCHEDULED = "Scheduled"
    STARTING = "Starting"
    TRAINING = "Training"
    SYNCED = "Synced"
    RETENTION_FAILED = "RetentionFailed"
    PARTS_MISSING = "PartsMissing"
    STOPPING = "Stopping"
    RESTARTING = "Restarting"
    SUSPENDED = "Suspended"
    RESUMED = "Resumed"
    SUCCEEDED = "Succeeded"
    CLEANING_UP = "CleaningUp"
    CLEAN_UP_HINDERED = "CleanUpHindered"
    CLEANED_UP = "CleanedUp"
    DATA_LEFT = "DataLeft"
    NOT_FINISHED = "NotFinished"
    HEALTHY = "Healthy"
    AGENT_SILENT = "AgentSilent"
    CHECKPOINT_DAMAGED = "CheckpointDamaged"
    # refusals
    INVALID_SPEC = "InvalidSpec"
    POLICY_DENIED = "PolicyDenied"
    UNSUPPORTED = "Unsupported"
    BACKEND_MISSING = "BackendMissing"
    DEPENDENCY_FAILED = "DependencyFailed"
    DEPENDENCY_MISSING = "DependencyMissing"
    # ends by limits
    DEADLINE_EXCEEDED = "DeadlineExceeded"
    SCHEDULING_TIMEOUT = "SchedulingTimeout"
    START_TIMEOUT = "StartTimeout"
    NODE_NOT_STARTED = "NodeNotStarted"
    RESTARTS_EXHAUSTED = "RestartsExhausted"
    # ends of an attempt (those of agents are in trainjobs.errors)
    INVALID_RECIPE = "InvalidRecipe"
    INVALID_DATA = "InvalidData"
    MODEL_NOT_FOUND = "ModelNotFound"
    ACCESS_DENIED = "AccessDenied"
    DIVERGED = "Diverged"
    ACCELERATOR_OUT_OF_MEMORY = "AcceleratorOutOfMemory"
    HANG = "Hang"
    TRAINING_ERROR = "TrainingError"
    BELOW_THRESHOLD = "BelowThreshold"
    STORAGE_UNAVAILABLE = "StorageUnavailable"
    STORAGE_UNUSABLE = "StorageUnusable"
    CORRUPT_CHECKPOINT = "CorruptCheckpoint"
    FENCED = "Fenced"
    DISK_FULL = "DiskFull"
    RENDEZVOUS_FAILED = "RendezvousFailed"
    HUB_UNAVAILABLE = "HubUnavailable"
    HOST_OUT_OF_MEMORY = "HostOutOfMemory"
    PREEMPTED = "Preempted"
    NODE_LOST = "NodeLost"
    EVICTED = "Evicted"
    POD_LOST = "PodLost"
    IMAGE_PULL_FAILED = "ImagePullFailed"
    UNKNOWN = "Unknown"
