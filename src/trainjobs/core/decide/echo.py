"""A failure that may be the echo of a lost machine is judged when it is known whether its peers live."""

from datetime import datetime, timedelta
from typing import Final

from trainjobs.api.conditions import Reason
from trainjobs.core.decide.attempt import Attempt
from trainjobs.core.decide.ending import End, Verdict
from trainjobs.core.decide.observed import Patience, PodState

NOTICE: Final = timedelta(minutes=1)
"""How long it may take until Kubernetes says of a machine that it does not answer."""
LOOK_EVERY: Final = timedelta(seconds=2)
"""How soon to look again while it is in doubt: a heartbeat alone is no reason for a look."""

# Kubernetes cuts fractions of a second off the time at which a container ended.
_SECOND: Final = timedelta(seconds=1)
# What a node says whose peer has vanished: a broken connection, or nobody to meet.
_FROM_PEERS: Final = frozenset({Reason.TRAINING_ERROR, Reason.RENDEZVOUS_FAILED})


def cause(attempt: Attempt, failed: End | None, lost: Verdict, patience: Patience, now: datetime) -> Verdict:
    """Return what a failure comes from: itself, a lost machine, or a time at which more is known.

    When a machine dies, the nodes that it trained with fail within a second; that it does not answer is known
    only a minute later. Nothing is lost by waiting: no attempt starts before that machine's grace has passed.

    Args:
        attempt: the attempt.
        failed: how a node of it failed.
        lost: what is known of lost machines.
        patience: since when agents are heard.
        now: the time.
    """
    if failed is None or failed.reason not in _FROM_PEERS:
        return failed
    if lost is not None:
        return lost
    ended = next((pod.termination for pod in attempt.pods if pod.name == failed.node), None)
    if ended is None or not any(_unheard(attempt, pod, ended.finished, patience) for pod in attempt.pods):
        return failed
    known = max(ended.finished, patience.listening_since or ended.finished) + NOTICE
    return min(known, now + LOOK_EVERY) if now < known else failed


def _unheard(attempt: Attempt, pod: PodState, since: datetime, patience: Patience) -> bool:
    """Whether a node has not ended and has said nothing since then, though it speaks to us."""
    last, begun = attempt.heartbeat(pod.node_rank), patience.listening_since
    if pod.ended:
        return False
    if last is None:
        # It may have spoken to whoever listened before; one never heard since its start does not speak.
        return begun is not None and pod.started is not None and pod.started < begun
    return last.time < since + _SECOND
