"""What an agent waits for before the first step, and since when."""

import shutil
from pathlib import Path

from tests.unit.agent.test_launch import recipe
from trainjobs.agent.child import Child
from trainjobs.agent.launch import Launch, Rendezvous, until_first_step
from trainjobs.agent.log_upload import Printed
from trainjobs.agent.secrets import Secrets
from trainjobs.agent.status import Status


def test_a_wait_counts_from_when_it_was_first_said_until_the_next_stage() -> None:
    status = Status(recipe(), attempt=1, node_rank=0)
    status.enter("Fetching")
    status.wait_for("the download of hf://o/name")
    first = status.heartbeat().wait
    status.wait_for("the download of hf://o/name")
    assert status.heartbeat().wait == first
    assert first is not None
    assert str(first).startswith("waits for the download of hf://o/name, since ")
    status.enter("Launching")
    assert status.heartbeat().wait is None


def test_several_nodes_are_said_to_meet() -> None:
    two = recipe(nodes=2)
    meeting = Rendezvous(attempt=1, node_rank=0, address="10.0.0.5", port=29501)
    assert "2 nodes meet at 10.0.0.5:29501" in until_first_step(two, meeting)


def test_a_compiler_below_the_training_is_seen(tmp_path: Path) -> None:
    compiler = tmp_path / "ninja"
    compiler.symlink_to(shutil.which("sleep") or "")
    none = Secrets({})
    child = Child(Launch((str(compiler), "600"), {}), tmp_path / "node.log", Printed(), none, adopts=False)
    sleep = Launch((shutil.which("sleep") or "", "600"), {})
    other = Child(sleep, tmp_path / "other.log", Printed(), none, adopts=False)
    try:
        assert child.compiles()
        assert not other.compiles()
    finally:
        child.kill()
        other.kill()
