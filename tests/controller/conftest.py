"""Fixtures of the operator's tests: one bare control plane, and operators as processes of their own."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.controller.control_plane import ControlPlane, control_plane
from tests.controller.operator_process import Operator
from tests.controller.world import World

_NUMBERS = itertools.count(1)


@pytest.fixture(scope="session")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """An API server that all tests of a process share; each takes a namespace of its own."""
    with control_plane(tmp_path_factory.mktemp("plane") / "cluster") as running:
        running.install_crds()
        yield running


@pytest.fixture
def namespace(plane: ControlPlane) -> str:
    """A namespace of this test's own."""
    name = f"test-{next(_NUMBERS)}"
    plane.kubectl("create", "namespace", name)
    return name


@pytest.fixture
def world(plane: ControlPlane, namespace: str) -> World:
    """What controllers and kubelets would do in the test's namespace."""
    return World(plane, namespace)


@pytest.fixture
def operator(plane: ControlPlane, namespace: str, tmp_path: Path) -> Iterator[Operator]:
    """An operator that serves the test's namespace; not started yet."""
    one = Operator(plane, namespace, tmp_path / "operator")
    yield one
    one.kill()
    log = one.log.read_text(errors="replace") if one.log.exists() else ""
    problems = [line for line in log.splitlines() if '"exception"' in line or "Traceback" in line]
    assert problems == [], "the operator's log has tracebacks"
