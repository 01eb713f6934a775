"""What the agents of one machine are started with."""

from datetime import UTC, datetime
from pathlib import Path

from trainjobs.core.decide.observed import PodState
from trainjobs.local.folder import RunFolder
from trainjobs.local.nodes import Meeting, Reporting, agent_command


def test_downloads_of_one_attempt_serve_the_next() -> None:
    folder = RunFolder(Path("/runs/rewardmodelrun/one"))
    caches = set()
    for attempt in (1, 2):
        pod = PodState(
            name="one-worker-0",
            uid="u",
            attempt=attempt,
            job_uid="j",
            node_rank=0,
            phase="Running",
            created=datetime(2026, 1, 1, tzinfo=UTC),
        )
        workspace = folder.workspace(attempt, 0)
        command = agent_command(
            pod,
            workspace / "recipe.json",
            workspace,
            Meeting("127.0.0.1", 1),
            Reporting("http://127.0.0.1:2", workspace / "token"),
            workspace / "termination.json",
        )
        caches.add(command[command.index("--cache") + 1])
    assert caches == {"/runs/rewardmodelrun/one/work/cache/node-0"}
