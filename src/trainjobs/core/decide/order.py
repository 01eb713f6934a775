"""The order in which a decision is carried out: whatever fails in between, no reason is lost.

An operator may end after any of these, and the API server may refuse any of them; the next look decides anew
from what came of it. So what says why comes before what destroys the evidence: an attempt's job is deleted
only once the status says how the attempt ended, and an attempt starts only from what the status says already
(`starts_from`). A job comes before the status that names it: a job that the status does not know is found by
its name, one that the status knows and that is not there looks lost.
"""

from enum import Enum
from typing import Final

from trainjobs.api.status import RunStatus


class Part(Enum):
    """One part of a decision."""

    GUARD = "add the finalizer"
    START = "create what the attempt consists of"
    STATUS = "write the status"
    STORY = "tell the events"
    STOP = "delete jobs and pods"
    CLEAN_UP = "start the clean-up of stored data"
    LET_GO = "remove the finalizer"


ORDER: Final = tuple(Part)
"""First to last."""


def starts_from(status: RunStatus) -> tuple[object, ...]:
    """What an attempt starts from: how the one before ended, what was counted, what is pinned.

    All of it is written before the attempt is created. Once it exists, the next look would take the new
    attempt over and never ask again.
    """
    return (
        status.ended,
        status.failure,
        status.restarts,
        status.infrastructure_restarts,
        status.waits,
        status.reached,
        status.progress_step,
        status.batch_halvings,
        status.dependencies,
        status.storage,
    )
