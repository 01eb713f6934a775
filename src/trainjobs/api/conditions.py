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
    STOPPING = "Stopping"
    RESTARTING = "Restarting"
    SUSPENDED = "Suspended"
    RESUMED = "Resumed"
    SUCCEEDED = "Succeeded"
    CLEANED_UP = "CleanedUp"
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
    RENDEZVOUS_FAILED = "RendezvousFailed"
    HUB_UNAVAILABLE = "HubUnavailable"
    HOST_OUT_OF_MEMORY = "HostOutOfMemory"
    PREEMPTED = "Preempted"
    NODE_LOST = "NodeLost"
    EVICTED = "Evicted"
    POD_LOST = "PodLost"
    IMAGE_PULL_FAILED = "ImagePullFailed"
    UNKNOWN = "Unknown"
