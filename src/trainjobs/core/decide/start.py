"""An attempt that never makes its first step is stopped and tried again."""

from datetime import datetime, timedelta

from trainjobs.api.conditions import Reason
from trainjobs.core.decide.attempt import Attempt, has_machine, has_started
from trainjobs.core.decide.ending import End, Verdict


def start_timeout(attempt: Attempt, timeout: timedelta, now: datetime, *, moving: bool) -> Verdict:
    """Return that the attempt made no step within `startTimeoutSeconds`, or when that will be.

    The clock runs from the start of its last node; from when the last node was given a machine, while one
    has not started. What kept it from a step may be a storage that is away: that is waited out.

    Args:
        attempt: the attempt.
        timeout: the limit.
        now: the time.
        moving: whether a step of this attempt was ever reported.
    """
    whole = all(attempt.on(rank) for rank in range(attempt.nodes))
    if moving or not whole or not all(has_machine(pod) for pod in attempt.pods):
        return None
    started = [pod.started for pod in attempt.pods]
    times = [when for when in started if when is not None]
    since = max(times) if len(times) == len(started) else attempt.scheduled_since or now
    if now < since + timeout:
        return since + timeout
    unstarted = next((pod for pod in attempt.pods if not has_started(pod)), None)
    if unstarted is not None:
        said = f"{unstarted.waiting_reason} {unstarted.waiting_message}".strip()
        return End(
            Reason.NODE_NOT_STARTED,
            f"node {unstarted.node_rank} has a machine, and did not start on it within "
            f"{timeout.total_seconds():.0f} s: {said or 'its machine does not say why'}",
            node=unstarted.name,
        )
    return _no_step(attempt, f"no step within {timeout.total_seconds():.0f} s of the start")


def _no_step(attempt: Attempt, message: str) -> End:
    heard = [beat for rank in range(attempt.nodes) if (beat := attempt.heartbeat(rank)) is not None]
    away = next((beat for beat in heard if beat.sync.reason == Reason.STORAGE_UNAVAILABLE), None)
    if away is not None:
        said = f"node {away.node_rank}: {away.sync.message}"
        return End(Reason.STORAGE_UNAVAILABLE, f"{message}; {said}", launched=False)
    last = attempt.heartbeat(0)
    stage = f"; node 0 is at: {last.stage}" if last else ""
    if last is not None and last.wait is not None:
        stage += f"; it {last.wait}"
    return End(Reason.START_TIMEOUT, message + stage)
