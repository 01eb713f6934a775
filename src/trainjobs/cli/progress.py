"""How a run goes on, for people: a bar with loss, rate and time left, or plain lines without a terminal."""

import time
from collections import deque
from datetime import UTC, datetime

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

from trainjobs.api.conditions import Reason
from trainjobs.api.runs import Run
from trainjobs.core.decide.decision import Event
from trainjobs.core.plan.neutral import Plan
from trainjobs.core.recipe.model import Recipe
from trainjobs.core.reports import Heartbeat, Wait

PLAIN_SECONDS = 10.0
"""Between two lines of progress where there is no terminal."""
WAIT_SECONDS = 5.0
"""What takes less is not worth a line."""
TOLD = frozenset({Reason.SUSPENDED, Reason.RESUMED, Reason.RESTARTING})
RATE_BEATS = 20
"""The rate is taken over so many heartbeats."""


class ProgressWatcher:
    """Shows one run after the other; use as a context manager."""

    def __init__(self, console: Console, *, quiet: bool = False) -> None:
        self._console = console
        self._quiet = quiet
        self._live = console.is_terminal and not quiet
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            TextColumn("{task.fields[steps]}"),
            TextColumn("{task.fields[figures]}"),
            TimeElapsedColumn(),
            console=console,
            transient=True,
        )
        self._task: TaskID | None = None
        self._recent: deque[tuple[float, int]] = deque(maxlen=RATE_BEATS)
        self._last_line = 0.0
        self._last_beat: tuple[int, str, int] | None = None
        self._batch = 1
        self._told: list[Wait] = []

    def __enter__(self) -> "ProgressWatcher":
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._bar.stop()

    def pause(self) -> None:
        """Take the bar away, so that other lines can be written; the next attempt brings it back."""
        if self._live and self._task is not None:
            self._bar.remove_task(self._task)
            self._task = None
            # What is written beside a bar that still stands on its line is erased with it.
            self._bar.stop()

    def started(self, run: Run, plan: Plan) -> None:
        """Say what begins, and how large a step is."""
        recipe = plan.recipe
        self._recent.clear()
        self._batch = recipe.effective_batch_size
        self._print(f"{run.metadata.name}: attempt {plan.attempt}, {_size(recipe)}", style="bold")
        self._print(f"  {_batch(recipe)}")
        if self._live:
            if self._task is not None:
                self._bar.remove_task(self._task)
            self._task = self._bar.add_task("Starting", total=None, steps="", figures="")
            self._bar.start()

    def beat(self, heartbeat: Heartbeat) -> None:
        """Move the bar."""
        progress = heartbeat.progress
        step = progress.step if progress else 0
        seen = (heartbeat.attempt, heartbeat.stage, step)
        if seen == self._last_beat:
            return
        self._last_beat = seen
        total = progress.total_steps if progress else 0
        figures = self._figures(heartbeat, step)
        if self._live and self._task is not None:
            self._bar.update(
                self._task,
                description=heartbeat.stage,
                total=total or None,
                completed=step,
                steps=f"{step}/{total}" if total else "",
                figures=figures,
            )
        elif not self._quiet and total and time.monotonic() - self._last_line >= PLAIN_SECONDS:
            self._last_line = time.monotonic()
            self._print(f"  {heartbeat.stage} {step}/{total} {figures}")

    def waits(self, wait: Wait) -> None:
        """Say once what is waited for, if it takes a while."""
        if (datetime.now(UTC) - wait.since).total_seconds() < WAIT_SECONDS or wait in self._told:
            return
        self._told.append(wait)
        self._print(f"  {wait}", style="dim")

    def event(self, event: Event) -> None:
        """Tell what the bar does not show: warnings, stops and restarts; `events.log` has it all.

        A warning is no progress, and is told to those who want to see none, too.
        """
        if event.type == "Normal" and event.reason not in TOLD:
            return
        if event.reason == Reason.SUSPENDED:
            self._print("  stopping: training saves a checkpoint first; Ctrl-C again ends it at once")
            return
        if event.type == "Warning":
            self._say(f"  {event.reason}: {event.message}", style="yellow")
        else:
            self._print(f"  {event.reason}: {event.message}", style="dim")

    def _figures(self, heartbeat: Heartbeat, step: int) -> str:
        parts = []
        loss = heartbeat.metrics.latest.get("loss")
        if loss is not None:
            parts.append(f"loss {loss:.4f}")
        rate = heartbeat.metrics.latest.get("learning_rate")
        if rate is not None:
            parts.append(f"lr {rate:.2e}")
        progress = heartbeat.progress
        # Before the first report of an attempt its step is not known: a resumed one does not begin at 0.
        steps_per_second = self._rate(step) if progress is not None else None
        if steps_per_second:
            parts.append(f"{steps_per_second * self._batch:.0f} rows/s")
        if progress is not None and progress.eta_seconds is not None and step < progress.total_steps:
            parts.append(f"ETA {clock(progress.eta_seconds)}")
        return "  ".join(parts)

    def _rate(self, step: int) -> float | None:
        """Steps per second over the last heartbeats that moved."""
        if not self._recent or step > self._recent[-1][1]:
            self._recent.append((time.monotonic(), step))
        (first, low), (last, high) = self._recent[0], self._recent[-1]
        return (high - low) / (last - first) if last > first else None

    def _print(self, line: str, style: str = "") -> None:
        if not self._quiet:
            self._say(line, style)

    def _say(self, line: str, style: str) -> None:
        # Where nobody reads it on a terminal, a line stays one line.
        self._console.print(Text(line, style=style), soft_wrap=not self._console.is_terminal)


def clock(seconds: int) -> str:
    """`75` → `1:15`, `4000` → `1:06:40`."""
    minutes, second = divmod(max(seconds, 0), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


def _size(recipe: Recipe) -> str:
    nodes, per_node = recipe.processes.nodes, recipe.processes.per_node
    return f"{nodes} node{'s' * (nodes > 1)} × {per_node} process{'es' * (per_node > 1)}"


def _batch(recipe: Recipe) -> str:
    training = recipe.training
    return (
        f"effective batch {recipe.effective_batch_size} = {training.batch_size_per_device} per device"
        f" × {training.gradient_accumulation_steps} accumulation × {recipe.processes.world_size} devices"
    )
