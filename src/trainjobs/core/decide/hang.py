"""A run whose training stopped moving is stopped and resumed."""

from datetime import timedelta
from typing import Final

from trainjobs.api.conditions import Reason
from trainjobs.core.decide.attempt import Attempt
from trainjobs.core.decide.ending import End

_STEPPING: Final = frozenset({"Training", "Saving"})


def hang(attempt: Attempt, timeout: timedelta) -> End | None:
    """Return why the attempt counts as hung, or None.

    An attempt hangs when its last step is older than `hangTimeoutSeconds` by its agents' own words: when they
    were last heard, no node had made a step for that long. Where nothing is heard, nothing is known: training
    goes on behind a broken network. Time before the first step counts only against `startTimeoutSeconds`.
    """
    steps = [beat.progress for beat in attempt.heartbeats if beat.progress and beat.progress.step > 0]
    heard = [beat.time for beat in attempt.heartbeats if beat.stage in _STEPPING]
    if not steps or not heard or any(beat.stage == "Uploading" for beat in attempt.heartbeats):
        return None
    last = max(steps, key=lambda progress: progress.updated_time)
    age = max(heard) - last.updated_time
    if age <= timeout:
        return None
    return End(Reason.HANG, f"no step for {age.total_seconds():.0f} s (last: {last.step})")
