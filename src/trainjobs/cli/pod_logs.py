"""What the nodes of a run in a cluster print: from their pods, and from storage where those are gone."""

import asyncio
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from trainjobs.api import labels
from trainjobs.api.conditions import ConditionType
from trainjobs.api.status import StorageStatus
from trainjobs.cli.cluster_runs import ClusterRun, Reader, as_told, told
from trainjobs.cli.run_names import RunName
from trainjobs.cli.stored import RETRY_SECONDS, path_of
from trainjobs.cli.stored_logs import LOOK_SECONDS, LogName, StoredLogs, Wanted
from trainjobs.controller.observing import pod_state
from trainjobs.core.decide.conditions import holds
from trainjobs.core.decide.observed import PodState
from trainjobs.errors import TrainjobsError, UsageError
from trainjobs.kube.errors import Forbidden, KubeError, Unreachable
from trainjobs.kube.pod_logs import log_lines
from trainjobs.kube.resources import PODS
from trainjobs.storage.opening import open_store
from trainjobs.storage.settings import StorageSettings

Write = Callable[[str], None]


@dataclass(slots=True)
class PodLogs:
    """The logs of one run."""

    reader: Reader
    name: RunName
    write: Write
    tell: Write
    """Is told, line by line, where what is shown comes from."""
    _after: dict[LogName, str] = field(default_factory=dict)
    """By log: the stamp of the last line that was shown."""
    _told: str = ""
    _denied: Forbidden | None = None
    """Why pods may not be seen: what storage holds may be, all the same."""

    async def names(self) -> dict[LogName, str]:
        """Every log there is, each with `Pod` or `Storage`; where the latter cannot be read, only pods'."""
        run = await self.reader.run(self.name)
        found = dict.fromkeys(self._stored_names(run), "Storage")
        found |= {LogName(one.attempt, one.node_rank): "Pod" for one in await self._pods(run) if one.started}
        return dict(sorted(found.items()))

    async def show(self, wanted: Wanted) -> None:
        """Show what a node has printed.

        Raises:
            UsageError: there is no such log, neither in a pod nor in storage; says why.
            AccessDenied, StorageUnavailable: it cannot be had.
        """
        run, log, pod = await self._look(wanted)
        problem = await self._print(pod, log, wanted)
        if problem is not None:
            self._show_stored(run, log, wanted, problem)

    async def follow(self, wanted: Wanted) -> None:
        """Show what a node prints as it does, attempt after attempt, until the run or that attempt is over.

        Raises:
            UsageError, AccessDenied, StorageUnavailable: as `show`, where it is over already.
        """
        run, log, pod = await self._look(wanted)
        if self._denied is not None:
            raise as_told(self._pods_named, self._denied)
        while True:
            superseded = run.status.attempt > log.attempt
            over = (superseded or holds(run.status, ConditionType.FINISHED)) and (pod is None or pod.ended)
            problem = await self._print(pod, log, wanted)
            goes_on = superseded and wanted.attempt is None and (over or problem is not None)
            if over and not goes_on:
                if problem is not None and log not in self._after:
                    self._show_stored(run, log, wanted, problem)
                elif isinstance(problem, KubeError):
                    self.tell(f"note: {log} answers no more; without --follow, storage tells its end")
                return
            if problem is not None and log not in self._after:
                self._tell_once(f"{log} {_state(pod)}: {'passed over' if goes_on else 'waiting for it'}")
            if goes_on:
                # The next attempt's log is new from its first line on.
                wanted = replace(wanted, tail=None)
            else:
                await asyncio.sleep(LOOK_SECONDS)
            run, log, pod = await self._look_again(replace(wanted, attempt=log.attempt + goes_on))

    @property
    def _pods_named(self) -> str:
        return f"pods of {self.name} in namespace {self.reader.namespace}"

    async def _look(self, wanted: Wanted) -> tuple[ClusterRun, LogName, PodState | None]:
        """The run, the log that is meant, and its pod."""
        run = await self.reader.run(self.name)
        log = LogName(wanted.attempt or max(1, run.status.attempt), wanted.node)
        return run, log, _of(await self._pods(run), log)

    async def _look_again(self, wanted: Wanted) -> tuple[ClusterRun, LogName, PodState | None]:
        """The same, however long the cluster does not answer: a machine slept, a network changed."""
        while True:
            try:
                return await self._look(wanted)
            except UsageError as error:
                if not isinstance(error.__cause__, Unreachable):
                    raise
                self._tell_once(f"{error}: trying again")
            await asyncio.sleep(LOOK_SECONDS)

    async def _pods(self, run: ClusterRun) -> Sequence[PodState]:
        selector = f"{labels.RUN_UID}={run.uid}"
        with told(self._pods_named):
            try:
                found = await self.reader.kube.list_all(PODS, self.reader.namespace, labels=selector)
            except Forbidden as error:
                self._denied = error
                return []
        return [pod_state(one) for one in found]

    async def _print(self, pod: PodState | None, log: LogName, wanted: Wanted) -> KubeError | str | None:
        """Print what a pod has to say that was not shown yet; why it says nothing, or None."""
        if pod is None or pod.started is None:
            return self._denied or _state(pod)
        self._tell_once(f"{log}, from pod {pod.name}")
        try:
            lines = log_lines(
                self.reader.kube,
                self.reader.namespace,
                pod.name,
                labels.CONTAINER,
                follow=wanted.follow,
                tail=wanted.tail,
                after=self._after.get(log, ""),
            )
            async for line in lines:
                self._after[log] = line.stamp
                self.write(f"{line.text}\n")
        except KubeError as error:
            return error
        return None

    def _stored_names(self, run: ClusterRun) -> Sequence[LogName]:
        try:
            return [*_stored(run.status.storage).names()]
        except TrainjobsError as error:
            self.tell(f"note: {error}")
            return []

    def _show_stored(self, run: ClusterRun, log: LogName, wanted: Wanted, problem: KubeError | str) -> None:
        """Show the log as it was brought to storage; `problem` is why its pod does not tell it."""
        what = f"{self.name} in namespace {self.reader.namespace}: {log}"
        if run.status.storage is None:
            if isinstance(problem, KubeError):
                raise as_told(what, problem)
            raise UsageError(f"{what} {problem}; look again later, or --follow it")
        said = f"{what} {_why(problem)}"
        try:
            logs = _stored(run.status.storage)
            text = logs.text(replace(wanted, attempt=log.attempt, follow=False))
        except UsageError as error:
            if isinstance(problem, Forbidden):
                raise as_told(what, problem) from None
            raise UsageError(f"{said}, and {error}") from None
        except TrainjobsError as error:
            raise type(error)(f"{said}, and its storage cannot be read: {error}") from error
        self.tell(f"note: {said}; from storage, its last part:")
        self.write(wanted.cut(text))

    def _tell_once(self, words: str) -> None:
        if words != self._told:
            self.tell(f"note: {words}")
        self._told = words


def _stored(storage: StorageStatus | None) -> StoredLogs:
    """The logs in a run's storage, opened by this person's own keys.

    Raises:
        UsageError: it is nowhere yet, or in a volume of the cluster.
        AccessDenied, StorageUnavailable: it cannot be read.
    """
    if storage is None:
        raise UsageError("nothing is stored yet")
    path_of(storage.uri)
    settings = StorageSettings.from_environment(os.environ)
    settings = replace(
        settings,
        retry_seconds=RETRY_SECONDS,
        # The cluster's own name of it may mean nothing here: what this machine says goes before.
        endpoint=settings.endpoint or storage.endpoint,
        region=settings.region or storage.region,
    )
    return StoredLogs(open_store(storage.uri, settings=settings))


def _of(pods: Sequence[PodState], log: LogName) -> PodState | None:
    """The pod of a node in an attempt; of several the one that was made last."""
    own = [one for one in pods if (one.attempt, one.node_rank) == (log.attempt, log.node)]
    return max(own, key=lambda one: (one.started is not None, one.created), default=None)


def _state(pod: PodState | None) -> str:
    """Why a node's pod says nothing."""
    if pod is None:
        return "has no pod"
    if pod.started is not None:
        return f"is in pod {pod.name}"
    why = pod.waiting_reason or ("Pending" if pod.scheduled else "not scheduled")
    message = " ".join((pod.waiting_message or pod.scheduling_message).split())
    return f"has not started ({why}{f': {message}' if message else ''})"


def _why(problem: KubeError | str) -> str:
    """Why a pod's log is not shown."""
    if isinstance(problem, KubeError):
        words = "may not be asked for" if isinstance(problem, Forbidden) else "does not answer"
        return f"{words} ({' '.join(problem.said.split())})"
    return problem
