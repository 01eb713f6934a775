"""The operator under `kopf run`: one replica, whose life and watches are kopf's command line's."""

import asyncio
import os
from pathlib import Path
from typing import Any

import kopf

from trainjobs.controller import events
from trainjobs.controller.depth import read_as_deep_as_api_servers
from trainjobs.controller.keys import RunKey
from trainjobs.controller.settings import OperatorSettings, load_settings
from trainjobs.controller.telemetry import Telemetry
from trainjobs.controller.work import Work
from trainjobs.kube.client import Kube, connect


class Alone:
    """Starts the work with kopf, and ends it with kopf."""

    def __init__(self, settings: OperatorSettings) -> None:
        self._settings = settings
        self._work: Work | None = None
        self._kube: Kube | None = None
        self._leave = asyncio.Event()
        self._working: asyncio.Task[None] | None = None

    def wake(self, key: RunKey) -> None:
        """Ask for a look at a run."""
        if self._work is not None:
            self._work.wake(key)

    async def start(self, settings: kopf.OperatorSettings, **_: Any) -> None:  # noqa: ANN401  # kopf's
        """Start working, before kopf watches."""
        events.configure(settings)
        self._kube = Kube(await connect(self._settings.kubeconfig))
        self._work = Work(self._kube, self._settings, Telemetry(), "kopf-run")
        self._working = asyncio.create_task(self._work.run(self._leave, None), name="work")

    async def stop(self, **_: Any) -> None:  # noqa: ANN401
        """Finish what is begun."""
        self._leave.set()
        if self._working is not None:
            await asyncio.wait([self._working])
        if self._kube is not None:
            await self._kube.close()


def register() -> None:
    """Register everything with kopf; TRAINJOBS_SETTINGS names a file with settings.

    Raises:
        UsageError: the settings are wrong.
    """
    read_as_deep_as_api_servers()
    file = os.environ.get("TRAINJOBS_SETTINGS")
    flags: dict[str, object] = {"kubeconfig": os.environ.get("KUBECONFIG")}
    alone = Alone(load_settings(Path(file) if file else None, dict(os.environ), flags))
    registry = kopf.get_default_registry()
    events.watch(registry, alone.wake)
    events.log_in(registry)
    kopf.on.startup(registry=registry)(alone.start)
    kopf.on.cleanup(registry=registry)(alone.stop)
