"""A failure that may be the echo of a lost machine is judged when it is known whether its peers live."""

from datetime import datetime, timedelta
from typing import Final

from trainjobs.api.conditions import Reason
from trainjobs.core.decide.attempt import Attempt
from trainjobs.core.decide.ending import End, Verdict
from trainjobs.core.decide.observed import PodState

NOTICE: Final = timedelta(minutes=1)
"""How long it may take until Kubernetes says of a machine that it does not answer."""
LOOK_EVERY: Final = timedelta(seconds=2)
"""How soon to look again while it is in doubt: a heartbeat alone is no reason for a look."""

# Kubernetes cuts fractions of a second off the time at which a container ended.
_SECOND: Final = timedelta(seconds=1)
# What a node says whose peer has vanished: a broken connection, or nobody to meet.
_FROM_PEERS: Final = frozenset({Reason.TRAINING_ERROR, Reason.RENDEZVOUS_FAILED})


def cause(attempt: Attempt, failed: End | None, lost: Verdict, now: datetime) -> Verdict:
    """Return what a failure comes from: itself, a lost machine, or a time at which more is known.

    When a machine dies, the nodes that it trained with fail within a second; that it does not answer is known
    only a minute later. Nothing is lost by waiting: no attempt starts before that machine's grace has passed.

    Args:
        attempt: the attempt.
        failed: how a node of it failed.
        lost: what is known of lost machines.
        now: the time.
    """
    if failed is None or failed.reason not in _FROM_PEERS:
        return failed
    if lost is not None:
        return lost
    ended = [pod.termination.finished for pod in attempt.pods if pod.name == failed.node and pod.termination]
    if ended and now < ended[0] + NOTICE and any(_unheard(attempt, pod, ended[0]) for pod in attempt.pods):
        return min(ended[0] + NOTICE, now + LOOK_EVERY)
    return failed


def _unheard(attempt: Attempt, pod: PodState, since: datetime) -> bool:
    """Whether a node that reported before has said nothing since then, and has not ended either."""
    last = attempt.heartbeat(pod.node_rank)
    return not pod.terminal and last is not None and last.time < since + _SECOND
