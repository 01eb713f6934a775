"""The operator's Prometheus series."""

import platform
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from importlib.metadata import version
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from trainjobs.api.conditions import Phase
from trainjobs.controller.keys import RunKey
from trainjobs.controller.runs import KnownRun, RunTable
from trainjobs.core import metrics as series
from trainjobs.core.decide.attempt import ended_number
from trainjobs.core.decide.decision import Decision
from trainjobs.core.decide.observed import Observed
from trainjobs.core.metrics import Series

_LATENCIES: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)


class Telemetry:
    """Counts what happens; as an observer of the queue and a watcher of looks at runs."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._looks = self._histogram(series.RECONCILE_SECONDS)
        self._apply = self._histogram(series.APPLY_TO_JOB)
        self._waits = self._histogram(series.QUEUE_LATENCY)
        self._retries = self._counter(series.QUEUE_RETRIES)
        self._heartbeats = self._counter(series.HEARTBEATS)
        self._restarts = self._counter(series.RUN_RESTARTS)
        self._events_lost = self._counter(series.EVENTS_LOST)
        self._restart_labels: dict[RunKey, set[str]] = {}

    def waited(self, seconds: float) -> None:
        """A run was in the queue this long before a worker took it."""
        self._waits.observe(seconds)

    def retried(self) -> None:
        """A look at a run failed and will be tried again."""
        self._retries.inc()

    def heard(self, outcome: str) -> None:
        """A heartbeat came in."""
        self._heartbeats.labels(outcome).inc()

    def event_lost(self) -> None:
        """An event could not be written."""
        self._events_lost.inc()

    def looked(self, key: RunKey, outcome: str, seconds: float) -> None:
        """A run was looked at."""
        self._looks.labels(key.kind, outcome).observe(seconds)

    def decided(self, key: RunKey, observed: Observed, decision: Decision, now: datetime) -> None:
        """A decision was carried out."""
        before, after = observed.run.status, decision.status
        if decision.start is not None and before.attempt == 0 and not after.dependencies:
            created = observed.run.metadata.creation_timestamp
            if created is not None:
                self._apply.observe(max((now - created).total_seconds(), 0.0))
        if decision.start is not None and after.ended is not None and after.attempt > ended_number(after):
            reason = after.ended.reason
            self._restarts.labels(key.namespace, key.kind, key.name, reason).inc()
            self._restart_labels.setdefault(key, set()).add(reason)

    def gone(self, key: RunKey) -> None:
        """A run is no more: so are its series."""
        for reason in self._restart_labels.pop(key, ()):
            self._restarts.remove(key.namespace, key.kind, key.name, reason)

    def text(self) -> bytes:
        """Everything in Prometheus' text format."""
        return generate_latest(self.registry)

    def _histogram(self, one: Series) -> Histogram:
        return Histogram(one.name, one.help, one.labels, buckets=_LATENCIES, registry=self.registry)

    def _counter(self, one: Series) -> Counter:
        return Counter(one.name, one.help, one.labels, registry=self.registry)


class Present(Collector):
    """What holds at the moment that somebody asks."""

    def __init__(self, table: RunTable, depth: Callable[[], int], leads: Callable[[], bool]) -> None:
        self._table = table
        self._depth = depth
        self._leads = leads

    def collect(self) -> Iterator[Metric]:
        """Yield the gauges; those of runs only where they are kept up to date."""
        leads = self._leads()
        yield _gauge(series.LEADER, {(): float(leads)})
        yield _gauge(series.QUEUE_DEPTH, {(): float(self._depth())})
        about = (version("trainjobs"), platform.python_version())
        yield _gauge(series.BUILD_INFO, {about: 1.0})
        if leads:
            yield from _of_runs(list(self._table))


def _of_runs(runs: Sequence[KnownRun]) -> Iterator[Metric]:
    phases: dict[tuple[str, ...], float] = {}
    of: dict[Series, dict[tuple[str, ...], float]] = {
        one: {}
        for one in (
            series.RUN_INFO,
            series.RUN_PHASE,
            series.RUN_STEP,
            series.RUN_STEPS_TOTAL,
            series.RUN_PROGRESS,
            series.RUN_ETA,
            series.RUN_TOKENS,
            series.LAST_CHECKPOINT,
        )
    }
    for run in runs:
        key, status = run.key, run.status
        names = (key.namespace, key.kind, key.name)
        phase = status.phase or Phase.PENDING
        counted = (key.namespace, key.kind, phase)
        phases[counted] = phases.get(counted, 0.0) + 1
        of[series.RUN_INFO][*names, run.task, str(status.attempt)] = 1.0
        for one in Phase:
            of[series.RUN_PHASE][*names, one] = float(one == phase)
        for name, value in _progress(run):
            of[name][names] = value
    yield _gauge(series.RUNS, phases)
    for name, values in of.items():
        yield _gauge(name, values)


def _progress(run: KnownRun) -> Iterator[tuple[Series, float]]:
    progress, latest = run.status.progress, run.status.checkpoints.latest
    if progress is not None:
        yield series.RUN_STEP, float(progress.step)
        yield series.RUN_STEPS_TOTAL, float(progress.total_steps)
        if progress.total_steps:
            yield series.RUN_PROGRESS, progress.step / progress.total_steps
        if progress.eta_seconds is not None:
            yield series.RUN_ETA, float(progress.eta_seconds)
        if progress.tokens_per_second is not None:
            yield series.RUN_TOKENS, progress.tokens_per_second
    if latest is not None:
        yield series.LAST_CHECKPOINT, latest.time.timestamp()


def _gauge(one: Series, values: dict[tuple[str, ...], float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(one.name, one.help, labels=one.labels)
    for names, value in values.items():
        family.add_metric(list(names), value)
    return family
