"""What one user nests deeper than a program can follow is no other user's affair."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.controller.control_plane import ControlPlane
from tests.controller.operator_process import Operator
from tests.controller.world import World, run
from trainjobs.controller.depth import read_as_deep_as_api_servers

DEPTHS = (2000, 9900)


@pytest.fixture
def _deep() -> Iterator[None]:
    before = sys.getrecursionlimit()
    read_as_deep_as_api_servers()
    yield
    sys.setrecursionlimit(before)


def nested(depth: int) -> Any:
    found: Any = "x"
    for _ in range(depth):
        found = {"a": found}
    return found


@pytest.mark.usefixtures("_deep")
def test_a_manifest_of_any_depth_is_refused_and_stops_nobody_elses(
    plane: ControlPlane, world: World, tmp_path: Path
):
    operator = Operator(plane, world.namespace, tmp_path).start()
    try:
        for depth in DEPTHS:
            world.create(run(f"deep-{depth}", podTemplate={"spec": {"x": nested(depth)}}))
        world.create(run("chat"))
        world.wait_for_job("chat")
        for depth in DEPTHS:
            refused = world.wait_for_condition(f"deep-{depth}", "Accepted", "False")
            assert "spec.podTemplate.spec.x" in refused["message"]
            assert len(refused["message"]) < 2000
            world.delete(f"deep-{depth}")
        assert "Traceback" not in operator.log.read_text()
    finally:
        operator.kill()
