"""Which heartbeats are worth a look at the run, and whose clock counts."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from trainjobs.api.status import Progress
from trainjobs.controller.heartbeats import Heartbeats, is_news, on_our_clock
from trainjobs.core.reports import Heartbeat, SyncState

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


def beat(step: int | None = 10, after: float = 0, **changes: Any) -> Heartbeat:
    time = NOW + timedelta(seconds=after)
    progress = (
        None if step is None else Progress(step=step, total_steps=1000, percent=step // 10, updated_time=time)
    )
    return Heartbeat(
        **{
            "run_uid": "u",
            "attempt": 1,
            "node_rank": 0,
            "stage": "Training",
            "time": time,
            "progress": progress,
            **changes,
        }
    )


@pytest.mark.parametrize(
    ("later", "news"),
    [
        (beat(11, after=2), False),
        (beat(49, after=2), False),
        (beat(50, after=2), True),
        (beat(11, after=30), True),
        (beat(5, after=2), True),
        (beat(11, after=2, stage="Saving"), True),
        (beat(11, after=2, sync=SyncState(healthy=False)), True),
        (beat(11, after=2, sync=SyncState(reason="RetentionFailed")), True),
        (beat(None, after=2), False),
    ],
)
def test_only_what_a_look_could_make_something_of_is_news(later: Heartbeat, news: bool):
    assert is_news(beat(10), later) is news


def test_the_first_step_is_news():
    assert is_news(beat(0), beat(1, after=1))
    assert is_news(beat(None), beat(1, after=1))


def test_many_small_steps_add_up_to_news():
    heard = Heartbeats()
    assert heard.hear(beat(10), NOW)
    looks = [heard.hear(beat(10 + number, after=number / 10), NOW) for number in range(1, 100)]
    assert looks.count(True) == 2
    assert heard.of("u")[0].progress.step == 109
    heard.forget("u")
    assert heard.of("u") == ()


def test_the_last_of_every_node_of_every_attempt_is_kept():
    heard = Heartbeats()
    for attempt in (1, 2):
        for rank in (0, 1):
            heard.hear(beat(attempt=attempt, node_rank=rank), NOW)
    assert {(one.attempt, one.node_rank) for one in heard.of("u")} == {(1, 0), (1, 1), (2, 0), (2, 1)}


@pytest.mark.parametrize("hours", [-5, 5])
def test_a_clock_that_is_wrong_is_set_by_ours(hours: int):
    wrong = timedelta(hours=hours)
    progress = Progress(step=3, total_steps=9, updated_time=NOW + wrong - timedelta(seconds=40))
    told = on_our_clock(beat(time=NOW + wrong, progress=progress), NOW)
    assert told.time == NOW
    assert told.progress.updated_time == NOW - timedelta(seconds=40)


def test_a_report_that_was_a_little_under_way_keeps_its_time():
    early = beat(after=-3)
    assert on_our_clock(early, NOW) is early
