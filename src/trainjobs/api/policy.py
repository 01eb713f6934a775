"""How long a run may take, how often it is tried again, and what becomes of what it leaves."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from trainjobs.api.base import Name, Rule, Seconds, Section, Text

Restarts = Annotated[int, Field(ge=0, le=1000)]
GangScheduler = Literal["Coscheduling", "Volcano"]


class GangScheduling(Section):
    """All nodes of an attempt get their machines together, or none gets one."""

    scheduler: GangScheduler
    """Whose PodGroup every attempt gets: the coscheduling plugin's (scheduler-plugins), or Volcano's."""
    queue: Text | None = None
    """Queue of Volcano; without it the queue named default."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "!has(self.queue) || self.scheduler == 'Volcano'",
            "spec.runPolicy.gangScheduling.queue: only allowed with scheduler Volcano; remove it "
            "(spec.runPolicy.queueName names a queue of Kueue)",
        ),
    )


class RunPolicy(Section):
    """Retries, limits and clean-up."""

    suspend: bool = False
    """Stop after saving a checkpoint, and go on from it when set back to false."""
    max_restarts: Restarts = 3
    """New attempts after errors of the run itself."""
    max_infrastructure_restarts: Restarts = 10
    """New attempts after node loss, preemption and eviction; counted anew after progress."""
    active_deadline_seconds: Seconds | None = None
    """Longest time from the first start to the end, suspensions not counted."""
    scheduling_timeout_seconds: Seconds = 86_400
    """Longest time an attempt may wait for room in the cluster."""
    start_timeout_seconds: Seconds = 3600
    """Longest time from the start of an attempt's nodes to its first step."""
    hang_timeout_seconds: Seconds = 1800
    """Longest time between two steps."""
    ttl_seconds_after_finished: Annotated[int, Field(ge=0, le=31_536_000)] = 604_800
    """How long the run's jobs and pods stay after its end; the run itself stays."""
    on_out_of_memory: Literal["Fail", "HalveBatch"] = "Fail"
    """HalveBatch: try again with half the batch per device and twice the accumulation."""
    deletion_policy: Literal["Retain", "Delete"] = "Retain"
    """What becomes of checkpoints and results when the run is deleted."""
    queue_name: Name | None = None
    """Kueue LocalQueue that admits the run."""
    priority_class_name: Text | None = None
    """PriorityClass of the run's pods."""
    scheduler_name: Text | None = None
    """Scheduler of the run's pods."""
    gang_scheduling: GangScheduling | None = None
    """A scheduler that places all nodes of an attempt at once; where `schedulerName` does not name it, by its
    own name (`scheduler-plugins-scheduler`, `volcano`)."""
