"""An attempt in a thread of its own, so that the main thread hears signals whatever the attempt waits for."""

import math
import time
from concurrent.futures import ThreadPoolExecutor, wait

from trainjobs.agent.attempt import Attempt
from trainjobs.agent.log_upload import LogUpload
from trainjobs.agent.options import Options
from trainjobs.agent.recipe_file import read_recipe
from trainjobs.agent.record import Ending, LastWord
from trainjobs.agent.secrets import Secrets
from trainjobs.agent.stop import StopRequests
from trainjobs.core.reports import Stage
from trainjobs.errors import DiskFull, Preempted, TrainjobsError

_LOOK_SECONDS = 0.1
# What an attempt gets to end by itself before it trains: a request to a store that hangs takes a minute.
_BEFORE_TRAINING_SECONDS = 2.0
# Kept of the grace for leaving.
_LEAVE_SECONDS = 0.5
_NOTHING_TO_LOSE: frozenset[Stage] = frozenset({"Starting", "Fetching"})


class Work:
    """Runs one attempt from its start; `attend` waits for its end, and never longer than the grace allows."""

    def __init__(
        self, options: Options, stop: StopRequests, word: LastWord, log: LogUpload, secrets: Secrets
    ) -> None:
        self._options = options
        self._stop = stop
        self._word = word
        self._log_upload = log
        self._secrets = secrets
        self._attempt: Attempt | None = None
        # Its thread lives as long as the program: the kernel would end the training with it.
        self._work = ThreadPoolExecutor(1, thread_name_prefix="work").submit(self._run)

    @property
    def stage(self) -> Stage | None:
        """What the attempt is doing, or did last; None before it is one."""
        return self._attempt.stage if self._attempt is not None else None

    def attend(self) -> Ending:
        """Return how it ended, or, where it was asked to stop and does not, how far it came.

        Call it from the main thread, where signals arrive.
        """
        while not self._ended():
            if not self._stop.asked:
                continue
            # Whatever comes now may be cut off.
            self._word.say_first(Ending(Preempted(self._stopped())), self.stage)
            if self._seconds_left(self._allowed()) < 0:
                return self._word.ending or Ending(Preempted(self._stopped()))
        return self._work.result()

    def seconds_left(self) -> float:
        """How long the program may still take to leave; without end while nobody asked it to stop."""
        return self._seconds_left(self._grace())

    def _seconds_left(self, allowed: float) -> float:
        asked = self._stop.asked_at
        return math.inf if asked is None else asked + allowed - time.monotonic()

    def _grace(self) -> float:
        before = _BEFORE_TRAINING_SECONDS + _LEAVE_SECONDS
        return self._attempt.grace_seconds if self._attempt is not None else before

    def _ended(self) -> bool:
        return bool(wait([self._work], _LOOK_SECONDS).done)

    def _allowed(self) -> float:
        grace = self._grace() - _LEAVE_SECONDS
        return min(grace, _BEFORE_TRAINING_SECONDS) if self._before_training() else grace

    def _stopped(self) -> str:
        return "stopped on request" + (" before training began" if self._before_training() else "")

    def _before_training(self) -> bool:
        return self.stage is None or self.stage in _NOTHING_TO_LOSE

    def _run(self) -> Ending:
        try:
            recipe = read_recipe(self._options.recipe)
            self._attempt = Attempt(
                recipe, self._options, self._stop, self._word, self._log_upload, self._secrets
            )
            return self._attempt.run()
        except TrainjobsError as error:
            return Ending(error)
        except OSError as error:
            # The workspace itself: everything else names its files through errors of our own.
            where = error.filename or self._options.workspace
            return Ending(DiskFull(f"{where}: {error.strerror or error}; look at the node's disk"))
