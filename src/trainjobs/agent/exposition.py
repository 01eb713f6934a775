"""The agent's Prometheus series, read from its status when somebody asks."""

from collections.abc import Iterator
from typing import get_args

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from trainjobs.agent.status import Status
from trainjobs.core import metrics as series
from trainjobs.core.metrics import Series
from trainjobs.core.reports import Stage


class _StatusCollector(Collector):
    """Turns a status into samples."""

    def __init__(self, status: Status) -> None:
        self._status = status
        run = status.recipe.run
        self._run = [run.namespace, run.kind, run.name]

    def collect(self) -> Iterator[Metric]:
        """Yield every series that has a value now."""
        yield from self._place()
        yield from self._training()
        yield from self._storage()

    def _place(self) -> Iterator[Metric]:
        status = self._status
        yield self._family(series.AGENT_INFO, {(str(status.attempt), str(status.node_rank)): 1.0})
        yield self._family(
            series.AGENT_STAGE, {(stage,): float(stage == status.stage) for stage in get_args(Stage)}
        )
        yield self._one(series.HEARTBEAT_FAILURES, status.heartbeat_failures)

    def _training(self) -> Iterator[Metric]:
        beat = self._status.heartbeat()
        if beat.progress is not None:
            progress = beat.progress
            yield self._one(series.RUN_STEP, progress.step)
            yield self._one(series.RUN_STEPS_TOTAL, progress.total_steps)
            if progress.total_steps:
                yield self._one(series.RUN_PROGRESS, progress.step / progress.total_steps)
            if progress.eta_seconds is not None:
                yield self._one(series.RUN_ETA, progress.eta_seconds)
            if progress.tokens_per_second is not None:
                yield self._one(series.RUN_TOKENS, progress.tokens_per_second)
        yield self._family(series.RUN_METRIC, {(name,): value for name, value in beat.metrics.latest.items()})

    def _storage(self) -> Iterator[Metric]:
        status = self._status
        if status.checkpoints.latest is not None:
            yield self._one(series.LAST_CHECKPOINT, status.checkpoints.latest.time.timestamp())
            yield self._one(series.CHECKPOINT_BYTES, status.checkpoint_bytes)
        yield self._one(series.PENDING_CHECKPOINTS, status.sync.pending)
        yield self._one(series.UPLOAD_BYTES, status.upload_bytes)
        yield self._one(series.UPLOAD_SECONDS, status.upload_seconds)
        yield self._one(series.UPLOAD_FAILURES, status.upload_failures)
        yield self._one(series.CHECKPOINT_STALL, status.stall_seconds)
        yield self._one(series.DOWNLOAD_BYTES, status.download_bytes)
        yield self._one(series.DOWNLOAD_SECONDS, status.download_seconds)

    def _one(self, what: Series, value: float) -> Metric:
        return self._family(what, {(): float(value)})

    def _family(self, what: Series, values: dict[tuple[str, ...], float]) -> Metric:
        family: CounterMetricFamily | GaugeMetricFamily
        if what.type == "counter":
            family = CounterMetricFamily(what.name, what.help, labels=what.labels)
        else:
            family = GaugeMetricFamily(what.name, what.help, labels=what.labels)
        for labels, value in values.items():
            family.add_metric([*self._run, *labels], value)
        return family


def exposition(status: Status) -> bytes:
    """Return the agent's series in Prometheus' text format."""
    registry = CollectorRegistry()
    registry.register(_StatusCollector(status))
    return generate_latest(registry)
