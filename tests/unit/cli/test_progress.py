"""What a run shows of its progress where there is no terminal."""

import io
from datetime import UTC, datetime

from rich.console import Console

from trainjobs.api.conditions import Reason
from trainjobs.api.status import Metrics, Progress
from trainjobs.cli.progress import ProgressWatcher, clock
from trainjobs.core.decide.decision import Event
from trainjobs.core.reports import Heartbeat, Wait

NOW = datetime(2026, 3, 2, tzinfo=UTC)


def beat(step: int | None) -> Heartbeat:
    """What node 0 says at a step, or before training has said anything."""
    progress = (
        None if step is None else Progress(step=step, total_steps=290, eta_seconds=75, updated_time=NOW)
    )
    return Heartbeat(
        run_uid="u",
        attempt=2,
        node_rank=0,
        stage="Training",
        time=NOW,
        progress=progress,
        metrics=Metrics(latest={"loss": 0.25}),
    )


def test_a_run_that_goes_on_at_a_later_step_has_no_rate_before_it_moves():
    shown = io.StringIO()
    watcher = ProgressWatcher(Console(file=shown))
    watcher.beat(beat(None))
    watcher.beat(beat(141))
    assert shown.getvalue() == "  Training 141/290 loss 0.2500  ETA 1:15\n"


def test_who_wants_no_progress_is_told_warnings_all_the_same():
    shown = io.StringIO()
    watcher = ProgressWatcher(Console(file=shown), quiet=True)
    watcher.beat(beat(141))
    watcher.event(Event("Normal", Reason.RESTARTING, "attempt 2 follows"))
    watcher.event(Event("Warning", Reason.CHECKPOINT_DAMAGED, "checkpoint 9 is damaged"))
    assert shown.getvalue() == "  CheckpointDamaged: checkpoint 9 is damaged\n"


def test_what_is_waited_for_is_said_in_one_line_and_once():
    shown = io.StringIO()
    watcher = ProgressWatcher(Console(file=shown))
    watcher.waits(Wait(what="the download of hf://o/name", since=datetime.now(UTC)))
    assert shown.getvalue() == ""
    for what in ("the download of hf://o/name", "the first step"):
        for _ in range(2):
            watcher.waits(Wait(what=what, since=NOW))
    assert shown.getvalue().splitlines() == [
        "  waits for the download of hf://o/name, since 00:00:00 UTC",
        "  waits for the first step, since 00:00:00 UTC",
    ]


def test_times_are_written_as_clocks_show_them():
    assert [clock(seconds) for seconds in (0, 75, 4000, -3)] == ["0:00", "1:15", "1:06:40", "0:00"]
