"""A cluster that someone else runs, named by TRAINJOBS_KUBECONFIG."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.harness.cluster import Cluster, Unsupported


@dataclass
class GivenCluster(Cluster):
    """Nothing in it is started or stopped; it needs training-operator v1 and images from a registry."""

    def stop(self) -> None:
        """Leave it as it is."""

    def load_image(self, archive: Path, nodes: Sequence[str] | None = None) -> None:  # noqa: ARG002
        raise Unsupported(
            "a given cluster takes images from a registry: push them, and name them to the tests"
        )
