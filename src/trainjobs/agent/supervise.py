"""Watches one training from its start to its end."""

import logging
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from trainjobs.agent.child import Child
from trainjobs.agent.hang import hang_message
from trainjobs.agent.history import HistoryTail
from trainjobs.agent.progress import Report, named
from trainjobs.agent.stacks import dump_stacks
from trainjobs.agent.status import Status
from trainjobs.agent.stop import StopRequests
from trainjobs.agent.sync import CheckpointSync
from trainjobs.agent.watch import CheckpointWatch
from trainjobs.core.outputs import REQUEST
from trainjobs.core.recipe.model import Recipe

_log = logging.getLogger(__name__)
_LOOK_SECONDS = 0.25
# Of the grace: what training may take to save; the rest is for bringing the checkpoint to storage.
_SAVING_SHARE = 0.7
_COMPILERS_SECONDS = 2.0
_COMPILATION = "a compiler: extensions are built, once on every machine, which takes minutes"

Why = Literal["Ended", "Stopped", "Hung", "Fenced"]


@dataclass(frozen=True, slots=True)
class TrainingEnd:
    """How it came to the end: by itself, asked to, or ended by us."""

    why: Why
    returncode: int
    detail: str = ""


class Supervision:
    """One training and everything that is watched of it."""

    def __init__(
        self,
        child: Child,
        recipe: Recipe,
        output: Path,
        status: Status,
        stop: StopRequests,
        history: HistoryTail,
        sync: CheckpointSync | None,
    ) -> None:
        self._child = child
        self._recipe = recipe
        self._output = output
        self._status = status
        self._stop = stop
        self._history = history
        self._sync = sync
        # Rank 0 alone reports steps. A training that hangs, hangs on node 0 too.
        self._reports_steps = status.node_rank == 0
        self._watch = CheckpointWatch(output)
        self._stop_deadline: float | None = None
        self._printed = 0
        self._next_look_for_compilers = 0.0
        self._before_compiling = self._status.waits_for
        self.grace_ends: float | None = None
        """When the whole grace is over, on the monotonic clock; None while nobody asked to stop."""

    def run(self) -> TrainingEnd:
        """Return when training has ended, and nothing of it runs any more."""
        end = self._until_the_end()
        # Whatever the training started and left behind must not go on writing.
        self._child.kill()
        self._look(writing=False)
        return end

    def _until_the_end(self) -> TrainingEnd:
        while True:
            code = self._child.poll()
            if code is not None:
                return TrainingEnd("Stopped" if self._stop_deadline is not None else "Ended", code)
            self._look(writing=True)
            self._child.reap()
            end = self._ended_by_us()
            if end is not None:
                return end
            self._stop.wait(_LOOK_SECONDS)

    def _look(self, *, writing: bool) -> None:
        records = self._history.new_records()
        self._status.take(Report(step=r.step, epoch=r.epoch, metrics=named(r.metrics)) for r in records)
        begun = self._status.tracker().step is not None or not self._reports_steps
        if begun and self._status.stage == "Launching":
            self._status.enter("Training")
        elif writing and self._status.stage == "Launching":
            self._look_for_compilers()
        for checkpoint in self._watch.poll(time.monotonic(), writing=writing):
            self._status.stall_seconds += checkpoint.blocked_seconds
            self._status.sign_of_life()
            if self._sync is not None:
                self._sync.add(checkpoint)
        if self._recipe.command and self._status.tracker().step is None:
            # A script that reports no steps lives as long as it prints.
            printed, self._printed = self._printed, self._child.output_bytes
            if self._printed != printed:
                self._status.sign_of_life()

    def _look_for_compilers(self) -> None:
        if time.monotonic() < self._next_look_for_compilers:
            return
        self._next_look_for_compilers = time.monotonic() + _COMPILERS_SECONDS
        self._status.wait_for(_COMPILATION if self._child.compiles() else self._before_compiling)

    def _ended_by_us(self) -> TrainingEnd | None:
        if self._sync is not None and self._sync.fenced is not None:
            self._child.kill()
            return TrainingEnd("Fenced", -signal.SIGKILL)
        if self._stop.asked:
            return self._stopping()
        return self._hung()

    def _stopping(self) -> TrainingEnd | None:
        now = time.monotonic()
        if self._stop_deadline is None:
            self._ask_to_save(now)
        elif self._stop.at_once or now > self._stop_deadline:
            _log.warning("training did not end in time and is killed")
            self._child.kill()
            return TrainingEnd("Stopped", -signal.SIGKILL)
        return None

    def _ask_to_save(self, now: float) -> None:
        grace = self._recipe.limits.grace_seconds
        self._stop_deadline = now + _SAVING_SHARE * grace
        self.grace_ends = now + grace
        self._status.enter("Saving")
        _log.info("asked to stop: training saves and ends, within %d s", grace)
        if self._recipe.command:
            self._child.signal_workers(signal.SIGTERM)
        else:
            request(self._output, "stop")

    def _hung(self) -> TrainingEnd | None:
        if not self._reports_steps:
            return None
        tracker = self._status.tracker()
        message = hang_message(
            self._recipe.limits,
            silent_seconds=time.monotonic() - tracker.last_sign,
            step=tracker.step,
            at_end=tracker.at_end,
        )
        if message is None:
            return None
        _log.error("training hangs: %s", message)
        dump_stacks(self._child)
        self._child.kill()
        return TrainingEnd("Hung", -signal.SIGKILL, message)


def request(output: Path, word: Literal["save", "stop"]) -> None:
    """Tell our own training a wish; `stop` is never taken back by `save`."""
    path = output / REQUEST
    if word == "save" and path.exists():
        return
    partial = output / f".{REQUEST}.partial"
    partial.write_text(word)
    partial.replace(path)
