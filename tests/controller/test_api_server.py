"""What the operator does when the API server or its storage goes away: wait, and go on."""

import time
from pathlib import Path

import pytest

from tests.controller.control_plane import control_plane
from tests.controller.operator_process import Operator, wait_for
from tests.controller.world import World, run


@pytest.mark.parametrize("program", ["kube-apiserver", "etcd"])
def test_an_outage_is_survived(tmp_path: Path, program: str):
    with control_plane(tmp_path / "plane") as plane:
        plane.install_crds()
        world, operator = World(plane, "default"), Operator(plane, "default", tmp_path / "operator")
        try:
            operator.start()
            world.create(run("before"))
            job = world.wait_for_job("before")
            plane.kill(program)
            time.sleep(12)
            (plane.start_etcd if program == "etcd" else plane.start_apiserver)()
            wait_for(lambda: _answers(world), "the API server to answer again")
            world.create(run("after"))
            world.start_pods(world.make_pods(job))
            world.wait_for_job("after")
            world.wait_for_condition("before", "Running")
            assert operator.running
            assert len(world.jobs()) == 2
        finally:
            operator.kill()


def _answers(world: World) -> bool:
    try:
        return bool(world.jobs())
    except OSError:
        return False
