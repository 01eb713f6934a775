"""A cluster that someone else runs, named by TRAINJOBS_KUBECONFIG."""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.harness.cluster import Cluster, Unsupported
from tests.harness.go_tools import cache
from tests.harness.s3 import REGION, S3


@dataclass
class GivenCluster(Cluster):
    """Nothing in it is started or stopped; environment variables say what it has."""

    @property
    def folder(self) -> Path:
        name = hashlib.sha256(str(self.kubeconfig).encode()).hexdigest()[:8]
        folder = cache() / f"given-{name}"
        folder.mkdir(exist_ok=True)
        return folder

    @property
    def s3(self) -> S3:
        return S3(
            _named("AWS_ENDPOINT_URL", "the URL of an S3 server that its pods and this machine reach"),
            _named("AWS_ACCESS_KEY_ID", "keys that may make buckets there"),
            _named("AWS_SECRET_ACCESS_KEY", "keys that may make buckets there"),
            os.environ.get("AWS_REGION") or REGION,
        )

    def image(self, name: str) -> str:
        """One of the project's images, by the name under which its nodes have it or can pull it."""
        return _named(f"TRAINJOBS_{name.upper()}_IMAGE", f"the image built from images/{name}/Dockerfile")

    def stop(self) -> None:
        """Leave it as it is."""

    def load_image(self, archive: Path, nodes: Sequence[str] | None = None) -> None:  # noqa: ARG002
        raise Unsupported("a given cluster takes images from a registry: push them, and name them")


def _named(variable: str, what: str) -> str:
    if value := os.environ.get(variable):
        return value
    raise Unsupported(f"TRAINJOBS_KUBECONFIG is set, {variable} is not: name {what}")
