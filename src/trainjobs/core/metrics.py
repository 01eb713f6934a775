"""The Prometheus series that trainjobs exports, in one table: name, type, help text, labels.

Units stand in the names. Programs build their collectors from this table, the documentation is
made from it, and nothing else spells a series' name.
"""

from dataclasses import dataclass
from typing import Final, Literal

RUN_LABELS: Final = ("namespace", "kind", "run")


@dataclass(frozen=True, slots=True)
class Series:
    """One series: what it is called, what it says, and what tells its instances apart."""

    name: str
    type: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...] = RUN_LABELS


AGENT_INFO: Final = Series(
    "trainjobs_agent_info",
    "gauge",
    "Always 1; says which attempt and node this agent serves.",
    (*RUN_LABELS, "attempt", "node_rank"),
)
AGENT_STAGE: Final = Series(
    "trainjobs_agent_stage",
    "gauge",
    "1 for the stage the agent is in, 0 for the others.",
    (*RUN_LABELS, "stage"),
)
RUN_STEP: Final = Series("trainjobs_run_step", "gauge", "Optimiser steps done.")
RUN_STEPS_TOTAL: Final = Series("trainjobs_run_steps_total", "gauge", "Optimiser steps in all.")
RUN_PROGRESS: Final = Series("trainjobs_run_progress_ratio", "gauge", "Steps done of all, from 0 to 1.")
RUN_ETA: Final = Series("trainjobs_run_eta_seconds", "gauge", "Seconds left at the present rate.")
RUN_TOKENS: Final = Series(
    "trainjobs_run_tokens_per_second", "gauge", "Tokens trained on per second, over all processes."
)
RUN_METRIC: Final = Series(
    "trainjobs_run_metric",
    "gauge",
    "Latest value of each training and validation metric, at most 50 names a run.",
    (*RUN_LABELS, "name"),
)
LAST_CHECKPOINT: Final = Series(
    "trainjobs_run_last_checkpoint_timestamp_seconds",
    "gauge",
    "When the newest checkpoint was complete in storage, in seconds since 1970.",
)
CHECKPOINT_BYTES: Final = Series(
    "trainjobs_run_checkpoint_bytes", "gauge", "Size of the newest checkpoint in storage."
)
UPLOAD_BYTES: Final = Series(
    "trainjobs_agent_upload_bytes_total", "counter", "Bytes of checkpoints and artifacts written to storage."
)
UPLOAD_SECONDS: Final = Series(
    "trainjobs_agent_upload_seconds_total",
    "counter",
    "Seconds spent writing checkpoints and artifacts to storage.",
)
UPLOAD_FAILURES: Final = Series(
    "trainjobs_agent_upload_failures_total", "counter", "Tries to write to storage that failed."
)
PENDING_CHECKPOINTS: Final = Series(
    "trainjobs_agent_pending_checkpoints",
    "gauge",
    "Checkpoints saved on this node and not yet complete in storage.",
)
CHECKPOINT_STALL: Final = Series(
    "trainjobs_agent_checkpoint_stall_seconds_total",
    "counter",
    "Seconds that training stood still for saves, staging included.",
)
DOWNLOAD_BYTES: Final = Series(
    "trainjobs_agent_download_bytes_total", "counter", "Bytes of models, data and checkpoints fetched."
)
DOWNLOAD_SECONDS: Final = Series(
    "trainjobs_agent_download_seconds_total",
    "counter",
    "Seconds spent fetching models, data and checkpoints.",
)
HEARTBEAT_FAILURES: Final = Series(
    "trainjobs_agent_heartbeat_failures_total", "counter", "Heartbeats that the status server did not take."
)

AGENT: Final = (
    AGENT_INFO,
    AGENT_STAGE,
    RUN_STEP,
    RUN_STEPS_TOTAL,
    RUN_PROGRESS,
    RUN_ETA,
    RUN_TOKENS,
    RUN_METRIC,
    LAST_CHECKPOINT,
    CHECKPOINT_BYTES,
    UPLOAD_BYTES,
    UPLOAD_SECONDS,
    UPLOAD_FAILURES,
    PENDING_CHECKPOINTS,
    CHECKPOINT_STALL,
    DOWNLOAD_BYTES,
    DOWNLOAD_SECONDS,
    HEARTBEAT_FAILURES,
)
"""What the agent of a node exports."""

RUNS: Final = Series("trainjobs_runs", "gauge", "Runs in each phase.", ("namespace", "kind", "phase"))
RUN_INFO: Final = Series(
    "trainjobs_run_info",
    "gauge",
    "Always 1; says what a run trains and which attempt it is at.",
    (*RUN_LABELS, "task", "attempt"),
)
RUN_PHASE: Final = Series(
    "trainjobs_run_phase",
    "gauge",
    "1 for the phase the run is in, 0 for the others.",
    (*RUN_LABELS, "phase"),
)
RUN_RESTARTS: Final = Series(
    "trainjobs_run_restarts_total",
    "counter",
    "Attempts that ended and were followed by another, as seen since the operator started.",
    (*RUN_LABELS, "reason"),
)
RECONCILE_SECONDS: Final = Series(
    "trainjobs_reconcile_duration_seconds",
    "histogram",
    "Seconds that one look at a run took.",
    ("kind", "outcome"),
)
APPLY_TO_JOB: Final = Series(
    "trainjobs_apply_to_job_seconds",
    "histogram",
    "Seconds from the creation of a run to that of its first job, for runs that wait for no other.",
    (),
)
QUEUE_DEPTH: Final = Series(
    "trainjobs_workqueue_depth", "gauge", "Runs that wait for a worker of the operator.", ()
)
QUEUE_LATENCY: Final = Series(
    "trainjobs_workqueue_latency_seconds", "histogram", "Seconds that a run waited for a worker.", ()
)
QUEUE_RETRIES: Final = Series(
    "trainjobs_workqueue_retries_total", "counter", "Looks at a run that failed and were tried again.", ()
)
HEARTBEATS: Final = Series(
    "trainjobs_heartbeats_total",
    "counter",
    "Heartbeats that agents sent, by what became of them.",
    ("outcome",),
)
EVENTS_LOST: Final = Series(
    "trainjobs_events_lost_total", "counter", "Kubernetes Events that could not be written.", ()
)
LEADER: Final = Series("trainjobs_leader", "gauge", "1 on the replica that works, 0 on the others.", ())
BUILD_INFO: Final = Series(
    "trainjobs_build_info", "gauge", "Always 1; says which version runs.", ("version", "python")
)

OPERATOR: Final = (
    RUNS,
    RUN_INFO,
    RUN_PHASE,
    RUN_STEP,
    RUN_STEPS_TOTAL,
    RUN_PROGRESS,
    RUN_ETA,
    RUN_TOKENS,
    RUN_RESTARTS,
    LAST_CHECKPOINT,
    RECONCILE_SECONDS,
    APPLY_TO_JOB,
    QUEUE_DEPTH,
    QUEUE_LATENCY,
    QUEUE_RETRIES,
    HEARTBEATS,
    EVENTS_LOST,
    LEADER,
    BUILD_INFO,
)
"""What the operator exports; those of single runs only from the leader."""
