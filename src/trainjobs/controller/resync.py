"""A look at every run now and then: events get lost, and nobody tells of an object that went meanwhile."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence

from trainjobs.controller.keys import RunKey
from trainjobs.core.plan.objects import child, text
from trainjobs.kube.client import Kube
from trainjobs.kube.errors import KubeError
from trainjobs.kube.resources import RUNS

_log = logging.getLogger(__name__)


async def existing(kube: Kube, namespaces: Sequence[str]) -> frozenset[RunKey]:
    """Every run that there is, by the metadata alone."""
    found = set()
    places: Sequence[str | None] = namespaces or (None,)
    for kind, resource in RUNS.items():
        for place in places:
            for obj in await kube.list_all(resource, place, part="Metadata"):
                meta = child(obj, "metadata")
                found.add(RunKey(kind, text(meta, "namespace"), text(meta, "name")))
    return frozenset(found)


async def resync_forever(
    kube: Kube,
    namespaces: Sequence[str],
    every_seconds: float,
    *,
    known: Callable[[], Iterable[RunKey]],
    wake: Callable[[RunKey], None],
) -> None:
    """Wake every run that there is, and every one that is remembered: its look finds those that are gone."""
    while True:
        await asyncio.sleep(every_seconds)
        try:
            there = await existing(kube, namespaces)
        except KubeError as error:
            _log.warning("runs cannot be listed: %s", error)
            continue
        for key in sorted(there.union(known())):
            wake(key)
