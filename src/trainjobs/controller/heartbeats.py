"""The last that each node's agent said, and when that is worth a look at its run."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from trainjobs.core.reports import Heartbeat

LOOK_EVERY: Final = timedelta(seconds=30)
LOOK_EVERY_PERCENT: Final = 5
REMEMBERED_ATTEMPTS: Final = 3
"""Attempts before the newest that are still heard, and told to stop: a run may make any number of them."""
SKEW: Final = timedelta(seconds=5)
"""Clocks that differ by more than this are taken to be wrong, not slow to report."""


@dataclass(frozen=True, slots=True)
class _Heard:
    beat: Heartbeat
    looked: Heartbeat
    """The heartbeat at which the run was last looked at because of this node."""


class Heartbeats:
    """Heartbeats by run, attempt and node."""

    def __init__(self) -> None:
        self._of: dict[str, dict[tuple[int, int], _Heard]] = {}

    def hear(self, beat: Heartbeat, now: datetime) -> bool:
        """Keep a heartbeat; whether it is worth a look at its run."""
        beat = on_our_clock(beat, now)
        nodes = self._of.setdefault(beat.run_uid, {})
        oldest = max((attempt for attempt, _ in nodes), default=0) - REMEMBERED_ATTEMPTS
        if beat.attempt < oldest:
            return False
        for old in [one for one in nodes if one[0] < beat.attempt - REMEMBERED_ATTEMPTS]:
            del nodes[old]
        place = (beat.attempt, beat.node_rank)
        before = nodes.get(place)
        if before is None:
            nodes[place] = _Heard(beat, looked=beat)
            return True
        news = is_news(before.looked, beat)
        nodes[place] = _Heard(beat, looked=beat) if news else replace(before, beat=beat)
        return news

    def of(self, run_uid: str) -> tuple[Heartbeat, ...]:
        """The last heartbeat of each node of each attempt of a run."""
        return tuple(heard.beat for heard in self._of.get(run_uid, {}).values())

    def forget(self, run_uid: str) -> None:
        """Let go of a run that is no more."""
        self._of.pop(run_uid, None)


def is_news(before: Heartbeat, beat: Heartbeat) -> bool:
    """Whether a heartbeat says what a look at the run could make something of."""
    old_sync, sync = before.sync, beat.sync
    said = (beat.stage, beat.wait, sync.healthy, sync.reason)
    if (before.stage, before.wait, old_sync.healthy, old_sync.reason) != said:
        return True
    if before.checkpoints != beat.checkpoints or beat.time - before.time >= LOOK_EVERY:
        return True
    if beat.progress is None:
        return False
    old, new = before.progress, beat.progress
    if old is None or (old.step == 0) != (new.step == 0) or new.step < old.step:
        return True
    return new.percent // LOOK_EVERY_PERCENT != old.percent // LOOK_EVERY_PERCENT


def on_our_clock(beat: Heartbeat, now: datetime) -> Heartbeat:
    """`beat` with the times of this machine: those of a node whose clock is wrong would look like silence."""
    skew = now - beat.time
    progress = beat.progress
    if abs(skew) <= SKEW:
        return beat
    if progress is not None:
        progress = progress.model_copy(update={"updated_time": progress.updated_time + skew})
    return beat.model_copy(update={"time": now, "progress": progress})
