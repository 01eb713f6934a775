"""Runs come and go; what the operator remembers is then what it was."""

import asyncio
import threading
from datetime import UTC, datetime
from typing import Any

from tests.controller.control_plane import ControlPlane
from tests.controller.operator_process import wait_for
from tests.controller.test_ownership import job_body, post_job
from tests.controller.world import World, run
from trainjobs.controller.keys import RunKey
from trainjobs.controller.settings import OperatorSettings
from trainjobs.controller.telemetry import Telemetry
from trainjobs.controller.work import Work
from trainjobs.core.reports import Heartbeat
from trainjobs.kube.client import Kube, connect


class Operator:
    """The operator's work in a thread of this process: its memory can be looked into."""

    def __init__(self, plane: ControlPlane, key: RunKey) -> None:
        self.plane, self.key = plane, key
        self.telemetry = Telemetry()
        self.looking = threading.Event()
        self.ready = threading.Event()
        self.thread = threading.Thread(target=lambda: asyncio.run(self.main()))

    async def main(self) -> None:
        self.loop, self.leave = asyncio.get_running_loop(), asyncio.Event()
        kube = Kube(await connect(str(self.plane.kubeconfig)))
        settings = {"image": "trainer:1", "storageUri": "s3://runs"}
        read = OperatorSettings.model_validate(
            {"namespace": self.key.namespace, "watchNamespaces": [self.key.namespace], "defaults": settings}
        )
        self.work = Work(kube, read, self.telemetry, "test")
        working = asyncio.create_task(self.work.run(self.leave, None))
        self.ready.set()
        while not self.leave.is_set():
            if self.looking.is_set():
                self.work.wake(self.key)
            await asyncio.sleep(0.05)
        await working
        await kube.close()

    def __enter__(self) -> "Operator":
        self.thread.start()
        self.ready.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self.loop.call_soon_threadsafe(self.leave.set)
        self.thread.join()

    def hear(self, uid: str, attempt: int) -> None:
        """Take a heartbeat in, as the status server does."""
        beat = Heartbeat(run_uid=uid, attempt=attempt, node_rank=0, stage="Training", time=datetime.now(UTC))

        def take() -> None:
            self.work.table.met(self.key, uid)
            if self.work.heartbeats.hear(beat, datetime.now(UTC)):
                self.work.wake(self.key)

        self.loop.call_soon_threadsafe(take)

    def rests(self) -> bool:
        """Whether no look is under way or due at once."""
        return self.work.queue.depth == 0 and self.work.queue.longest_work() == 0

    def remembered(self) -> dict[str, int]:
        """Every collection that a part of the operator holds → how much is in it."""
        work = self.work
        parts: list[Any] = [work.table, work.heartbeats, work.directives, work.memory, work.clean_ups]
        parts += [work.story, work.queue, self.telemetry, self.telemetry._restarts]
        found = {}
        for part in parts:
            for name in getattr(type(part), "__slots__", None) or vars(part):
                value = getattr(part, name)
                if isinstance(value, dict | set | list):
                    found[f"{type(part).__name__}.{name}"] = len(value)
        return found


def test_runs_that_come_and_go_leave_nothing_in_memory(plane: ControlPlane, world: World):
    with Operator(plane, RunKey("SFTRun", world.namespace, "chat")) as operator:
        before = operator.remembered()
        uids = []
        for _ in range(3):
            # Made again before anybody has seen that the one before is gone.
            created = world.create(run("chat"))
            uids.append(created["metadata"]["uid"])
            post_job(world, job_body(world, f"chat-{uids[-1][:5]}-1", None))
            operator.looking.set()
            pods = world.make_pods(world.wait_for_job("chat", attempt=2))
            world.start_pods(pods)
            operator.hear(uids[-1], 2)
            world.wait_for_condition("chat", "Running")
            operator.looking.clear()
            wait_for(operator.rests, "the last look to be over")
            world.delete("chat")
            for pod in pods:
                world.delete_pod(pod)
            for job in world.jobs("chat"):
                world.delete_job(job["metadata"]["name"])
        held = operator.remembered()
        # The third one's: what came of the two before it went when it was seen under their name.
        assert (held["Memory.taken"], held["Heartbeats._of"], held["RunTable._pods"]) == (1, 1, 1)
        assert held["Storyteller._told"] > 0
        # Pods have their grace period, and go on reporting.
        for uid in uids:
            operator.hear(uid, 2)
            operator.hear(uid, 1)
        wait_for(lambda: operator.remembered() == before, f"{before} again", seconds=30)
