"""What this agent knows at the moment, for heartbeats and for Prometheus: one place, safe between threads."""

import threading
from collections.abc import Iterable
from datetime import UTC, datetime
from time import monotonic

from trainjobs.agent.progress import ProgressTracker, Report
from trainjobs.api.status import DAMAGED_NAMED, CheckpointsStatus, DamagedCheckpoint
from trainjobs.core.recipe.model import Recipe
from trainjobs.core.reports import Heartbeat, Stage, SyncState, Wait


class Status:
    """The present of one agent."""

    def __init__(self, recipe: Recipe, *, attempt: int, node_rank: int) -> None:
        self._lock = threading.Lock()
        self.recipe = recipe
        self.attempt = attempt
        self.node_rank = node_rank
        self._stage: Stage = "Starting"
        self._worked_at: Stage = "Starting"
        self._tracker = ProgressTracker(recipe.checkpoints.keep_best, monotonic())
        self._checkpoints = CheckpointsStatus()
        self._sync = SyncState()
        self._damaged: list[DamagedCheckpoint] = []
        self._wait: Wait | None = None
        self._fetched: dict[str, float] = {}
        self.checkpoint_bytes = 0
        self.upload_bytes = 0
        self.upload_seconds = 0.0
        self.upload_failures = 0
        self.stall_seconds = 0.0
        self.download_bytes = 0
        self.download_seconds = 0.0
        self.heartbeat_failures = 0

    @property
    def stage(self) -> Stage:
        """What this agent is doing."""
        return self._stage

    @property
    def worked_at(self) -> Stage:
        """What this agent is doing, or did last before it had finished."""
        return self._worked_at

    def enter(self, stage: Stage) -> None:
        """Go on to another stage; its time counts from now."""
        with self._lock:
            if stage != "Finished":
                self._worked_at = stage
            self._stage = stage
            self._wait = None
            self._tracker.sign(monotonic())

    def wait_for(self, what: str) -> None:
        """Note what is waited for, until the next stage; its time counts from when it was first said."""
        with self._lock:
            if self._wait is None or self._wait.what != what:
                self._wait = Wait(what=what, since=datetime.now(UTC))

    @property
    def waits_for(self) -> str:
        """What is waited for; empty for nothing that was said."""
        return self._wait.what if self._wait else ""

    def take(self, reports: Iterable[Report]) -> None:
        """Add what training said."""
        with self._lock:
            for report in reports:
                self._tracker.take(report, at=monotonic(), now=datetime.now(UTC))

    def sign_of_life(self) -> None:
        """Note that training moves, though it reported nothing."""
        with self._lock:
            self._tracker.sign(monotonic())

    def tracker(self) -> ProgressTracker:
        """Return the tracker, for reading."""
        return self._tracker

    def fetched(self, done: int, total: int) -> None:
        """Note how much is fetched, in bytes."""
        with self._lock:
            self._fetched = {"fetch.bytes": float(done), "fetch.total_bytes": float(total)}

    def set_checkpoints(self, checkpoints: CheckpointsStatus) -> None:
        """Note which checkpoints storage holds."""
        with self._lock:
            self._checkpoints = checkpoints

    @property
    def checkpoints(self) -> CheckpointsStatus:
        """Which checkpoints storage holds."""
        return self._checkpoints

    def pass_over(self, uri: str, message: str) -> None:
        """Note a checkpoint that is damaged, and is not gone on from."""
        with self._lock:
            self._damaged.append(DamagedCheckpoint(uri=uri, message=message))

    def set_sync(self, sync: SyncState) -> None:
        """Note whether checkpoints reach storage."""
        with self._lock:
            self._sync = sync

    @property
    def sync(self) -> SyncState:
        """Whether checkpoints reach storage."""
        return self._sync

    def heartbeat(self) -> Heartbeat:
        """Return what is true now."""
        with self._lock:
            metrics = self._tracker.metrics()
            if self._stage == "Fetching":
                metrics = metrics.model_copy(update={"latest": dict(self._fetched)})
            return Heartbeat(
                run_uid=self.recipe.run.uid,
                attempt=self.attempt,
                node_rank=self.node_rank,
                stage=self._stage,
                time=datetime.now(UTC),
                progress=self._tracker.progress(),
                metrics=metrics,
                checkpoints=self._checkpoints,
                sync=self._sync,
                damaged=self._damaged[-DAMAGED_NAMED:],
                wait=self._wait,
            )
