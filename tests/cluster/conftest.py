"""Fixtures of the tests on a real cluster: parallel test processes share one, which ends with the last."""

import hashlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

# Beside a cluster for trial, which has number 0. Read when the harness is imported.
os.environ.setdefault("TRAINJOBS_CLUSTER", "1")

from tests.cluster.bench import Bench
from tests.cluster.harness.cluster import Cluster
from tests.cluster.harness.own import OwnCluster
from tests.cluster.harness.provider import Provider, chosen, obtain
from tests.cluster.installation import install_operator, remove_operator

try:
    PROVIDER = chosen()
except RuntimeError as error:
    raise pytest.UsageError(str(error)) from None


def pytest_report_header() -> str | None:
    """Say which tests are not there, and why."""
    if PROVIDER is Provider.OWN:
        return None
    return f"cluster: {PROVIDER}, so that tests that take a cluster's parts in hand are left out"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what this cluster does not allow; and count a test's own time only: the first builds it."""
    here = [item for item in items if item.path.is_relative_to(Path(__file__).parent)]
    for item in here:
        if item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(600, func_only=True))
    if PROVIDER is not Provider.OWN:
        left = [item for item in here if "own_cluster" in getattr(item, "fixturenames", ())]
        config.hook.pytest_deselected(items=left)
        items[:] = [item for item in items if item not in left]


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Leave a given cluster as it was, when the last of the test processes has ended."""
    if PROVIDER is not Provider.GIVEN or hasattr(session.config, "workerinput"):
        return
    try:
        remove_operator(obtain())
    except RuntimeError as error:
        print(f"\nwhat the tests have installed may still be in the cluster: {error}", file=sys.stderr)
        session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    """The cluster that all tests use, of whatever kind."""
    return obtain()


@pytest.fixture(scope="session")
def own_cluster(cluster: Cluster) -> OwnCluster:
    """The cluster, for tests that take its parts in hand: only one of our own lets them.

    A test that asks for it, or is marked to use it, is left out where there is another one.
    """
    assert isinstance(cluster, OwnCluster)
    return cluster


@pytest.fixture
def namespace(cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[str]:
    """A namespace of this test's own, which enforces the restricted Pod Security level."""
    slug = "".join(letter if letter.isalnum() else "-" for letter in request.node.name.removeprefix("test_"))
    # Tests of one function that differ in their parameters have names that begin alike.
    own = hashlib.sha256(f"{request.node.nodeid} {os.getpid()}".encode()).hexdigest()[:6]
    name = cluster.make_namespace(f"{slug[:50].strip('-')}-{own}")
    yield name
    cluster.kubectl("delete", "namespace", name, "--ignore-not-found", "--wait=false")


@pytest.fixture(scope="session")
def operator_image(cluster: Cluster) -> str:
    """The installed operator's image: the chart of this tree, two replicas, storage in the cluster's S3."""
    return install_operator(cluster)


@pytest.fixture
def bench(cluster: Cluster, operator_image: str, namespace: str) -> Iterator[Bench]:
    """A namespace in which runs find storage, inputs and scripts."""
    bench = Bench(cluster, namespace)
    bench.prepare()
    yield bench
    bench.leave()
