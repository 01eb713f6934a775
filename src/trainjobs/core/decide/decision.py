"""What is to be done about a run, in words that a cluster and a single machine both understand."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from trainjobs.api.conditions import Reason
from trainjobs.api.status import RunStatus


@dataclass(frozen=True, slots=True)
class StartAttempt:
    """Create the job of this attempt, once; whoever applies it renders the plan.

    The plan is made from the run with the decision's status, which holds the models of its dependencies.
    Where that job exists already and is the run's own, nothing is to be done.
    """

    attempt: int
    halve_batch: int
    """How many times the batch per device is halved (and accumulation doubled) against the manifest."""
    queued: bool
    """Created suspended, for a queue to admit."""


@dataclass(frozen=True, slots=True)
class StopAttempt:
    """Delete the job of this attempt with its pods: they get SIGTERM and the grace period."""

    attempt: int
    job_name: str
    """Empty where only pods are left of a job whose name nobody remembers."""
    job_uid: str


@dataclass(frozen=True, slots=True)
class Event:
    """One line in the run's story."""

    type: Literal["Normal", "Warning"]
    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class Decision:
    """What is to be done. An empty decision leaves everything as it is.

    It holds for the very run that was observed: whoever carries it out refuses it when the run has changed
    since (its resource version), and may write `status.job` with the start. Its parts are carried out in the
    order of `order.ORDER`. Anything may fail halfway: the next decision starts from what came of it.
    """

    status: RunStatus
    """The status to be written; equal to the observed one where nothing changed."""
    start: StartAttempt | None = None
    stop: tuple[StopAttempt, ...] = ()
    events: tuple[Event, ...] = ()
    requeue_after: timedelta | None = None
    """When to look again even if nothing happens."""
    delete_stored_data: bool = False
    """Start (or go on with) the clean-up of what the run left in storage."""
    add_finalizer: bool = False
    remove_finalizer: bool = False
