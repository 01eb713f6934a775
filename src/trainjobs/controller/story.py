"""A run's story as Kubernetes Events: what `kubectl describe` shows."""

import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from trainjobs.api.labels import API_VERSION
from trainjobs.api.runs import Run
from trainjobs.core.decide.decision import Event
from trainjobs.core.plan.objects import Object
from trainjobs.kube.client import Kube
from trainjobs.kube.errors import KubeError, LeaseLost, NamespaceTerminating, NotFound
from trainjobs.kube.resources import EVENTS

_log = logging.getLogger(__name__)

CONTROLLER: Final = "trainjobs.dev/operator"
SAME_WITHIN: Final = timedelta(minutes=10)
"""The same words about the same run within this time are counted, not said again."""
_EPOCH: Final = datetime.fromtimestamp(0, UTC)
_NOTE_LENGTH: Final = 1024
_MOST_REMEMBERED: Final = 4096


@dataclass(slots=True)
class _Told:
    name: str
    last: datetime
    count: int


class Storyteller:
    """Writes events. A lost one is not worth failing for: the status holds the truth."""

    def __init__(self, kube: Kube, instance: str, lost: Callable[[], None]) -> None:
        self._kube = kube
        self._instance = instance
        self._told: dict[tuple[str, str, str], _Told] = {}
        self._named = 0
        """When the last event was written, in microseconds, as its name says."""
        self._lost = lost

    async def tell(self, run: Run, event: Event, now: datetime) -> None:
        """Write one event, or count it where it was written before."""
        key = run.metadata.uid, str(event.reason), event.message
        told = self._told.get(key)
        try:
            if told is not None and now - told.last < SAME_WITHIN:
                await self._again(run, told, now)
                return
            # One look may tell of several: their names keep the order.
            self._named = max(_microseconds(now), self._named + 1)
            name = _name(run, key, self._named)
            await self._kube.create(
                EVENTS, run.metadata.namespace, _event(run, event, name, self._instance, now)
            )
        except LeaseLost:
            raise
        except NamespaceTerminating:
            # Nothing can be created there, and nobody could read it for long.
            return
        except KubeError as error:
            self._lost()
            _log.warning("%s %s: event %s is lost: %s", run.kind, run.metadata.name, event.reason, error)
            return
        self._remember(key, _Told(name, now, 1))

    def forget(self, run_uid: str) -> None:
        """Let go of a run that is no more."""
        for key in [one for one in self._told if one[0] == run_uid]:
            del self._told[key]

    async def _again(self, run: Run, told: _Told, now: datetime) -> None:
        told.last, told.count = now, told.count + 1
        series = {"count": told.count, "lastObservedTime": _micro(now)}
        try:
            await self._kube.patch(
                EVENTS,
                run.metadata.namespace,
                told.name,
                [{"op": "add", "path": "/series", "value": series}],
            )
        except NotFound:
            # Events expire; the next time it is said anew.
            told.last = datetime.min.replace(tzinfo=UTC)

    def _remember(self, key: tuple[str, str, str], told: _Told) -> None:
        if len(self._told) >= _MOST_REMEMBERED:
            del self._told[next(iter(self._told))]
        self._told[key] = told


def _name(run: Run, key: tuple[str, str, str], microseconds: int) -> str:
    """A name that sorts by time: kubectl shows the events of this API in the order of their names."""
    digest = hashlib.sha256("\0".join(key).encode()).hexdigest()[:8]
    return f"{run.metadata.name}.{microseconds:016x}{digest}"


def _event(run: Run, event: Event, name: str, instance: str, now: datetime) -> Object:
    note = event.message or str(event.reason)
    return {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": name, "namespace": run.metadata.namespace},
        "eventTime": _micro(now),
        "reportingController": CONTROLLER,
        "reportingInstance": instance[:128],
        "action": "Reconcile",
        "reason": str(event.reason),
        "type": event.type,
        "note": note.encode()[:_NOTE_LENGTH].decode(errors="ignore"),
        "regarding": {
            "apiVersion": API_VERSION,
            "kind": run.kind,
            "namespace": run.metadata.namespace,
            "name": run.metadata.name,
            "uid": run.metadata.uid,
        },
    }


def _microseconds(when: datetime) -> int:
    return (when - _EPOCH) // timedelta(microseconds=1)


def _micro(when: datetime) -> str:
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
