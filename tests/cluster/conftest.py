"""Fixtures of the tests on a real cluster: parallel test processes share one, which ends with the last."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

# Beside a cluster for trial, which has number 0. Read when the harness is imported.
os.environ.setdefault("TRAINJOBS_CLUSTER", "1")

from tests.cluster.harness import provider
from tests.cluster.harness.cluster import Cluster
from tests.cluster.harness.own import OwnCluster
from tests.cluster.operator_fixture import Bench, install_operator


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Count a test's own time only: the first fixture may build Kubernetes."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent) and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(600, func_only=True))


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    """The cluster that all tests use, of whatever kind."""
    return provider.obtain()


@pytest.fixture(scope="session")
def own_cluster(cluster: Cluster) -> OwnCluster:
    """The cluster, for tests that take its parts in hand: only one of our own lets them."""
    if not isinstance(cluster, OwnCluster):
        pytest.fail(
            "this test takes the cluster's parts in hand: unset TRAINJOBS_KUBECONFIG, and run it without kind"
        )
    return cluster


@pytest.fixture
def namespace(cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[str]:
    """A namespace of this test's own, which enforces the restricted Pod Security level."""
    slug = "".join(letter if letter.isalnum() else "-" for letter in request.node.name.removeprefix("test_"))
    # Tests of one function that differ in their parameters have names that begin alike.
    own = hashlib.sha256(f"{request.node.nodeid} {os.getpid()}".encode()).hexdigest()[:6]
    name = cluster.make_namespace(f"{slug[:50].strip('-')}-{own}")
    yield name
    cluster.kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture(scope="session")
def operator_image(own_cluster: OwnCluster) -> str:
    """The installed operator's image: the chart of this tree, two replicas, storage in the cluster's S3."""
    return install_operator(own_cluster)


@pytest.fixture
def bench(own_cluster: OwnCluster, operator_image: str, namespace: str) -> Bench:
    """A namespace in which runs find storage, inputs and scripts."""
    bench = Bench(own_cluster, namespace)
    bench.prepare()
    return bench
