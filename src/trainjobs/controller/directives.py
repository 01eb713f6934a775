"""What an agent is told when it reports."""

import asyncio
import logging
from typing import Final

from trainjobs.api import labels
from trainjobs.controller.keys import RunKey
from trainjobs.controller.runs import KnownRun, NodeIdentity, RunTable
from trainjobs.core.reports import Directive, Heartbeat
from trainjobs.kube.client import Kube
from trainjobs.kube.errors import KubeError
from trainjobs.kube.resources import RUNS

_log = logging.getLogger(__name__)

ANNOTATION: Final = "/metadata/annotations/" + labels.CHECKPOINT_NOW.replace("~", "~0").replace("/", "~1")


class Directives:
    """Stale attempts are told to stop; node 0 of a training one to save, where the annotation asks for it.

    One node is enough: the processes of an attempt agree at every step, and the strongest wish counts.
    The annotation goes when node 0 has been told, so that it can be set again.
    """

    def __init__(self, kube: Kube, table: RunTable) -> None:
        self._kube = kube
        self._table = table
        self._told: dict[str, str] = {}
        self._writing: set[asyncio.Task[None]] = set()

    def directive(self, node: NodeIdentity, beat: Heartbeat) -> Directive:
        """What the agent of a node is told."""
        run = self._table.get(node.key)
        if run is None or run.uid != node.run_uid:
            # Not looked at yet, since the operator's start; or another run of the same name.
            return "Continue"
        if node.attempt < run.status.attempt:
            return "Stop"
        if run.checkpoint_now is None:
            self._told.pop(run.uid, None)
        elif node.node_rank == 0 and beat.stage == "Training" and self._is_new(run, run.checkpoint_now):
            self._told[run.uid] = run.checkpoint_now
            task = asyncio.create_task(self._granted(node.key, run.checkpoint_now))
            self._writing.add(task)
            task.add_done_callback(self._writing.discard)
            return "Checkpoint"
        return "Continue"

    def forget(self, run_uid: str) -> None:
        """Let go of a run that is no more."""
        self._told.pop(run_uid, None)

    def _is_new(self, run: KnownRun, value: str) -> bool:
        return self._told.get(run.uid) != value

    async def _granted(self, key: RunKey, value: str) -> None:
        patch = [
            {"op": "test", "path": ANNOTATION, "value": value},
            {"op": "remove", "path": ANNOTATION},
        ]
        try:
            await self._kube.patch(RUNS[key.kind], key.namespace, key.name, patch)
        except KubeError as error:
            _log.info("%s: the annotation %s stays: %s", key, labels.CHECKPOINT_NOW, error)
