"""Which cluster there is to use: a given one, kind where Docker runs, else one of our own parts."""

import os
import shutil
import subprocess
from enum import StrEnum
from functools import cache
from pathlib import Path

from tests.cluster.harness import kind, own, parts
from tests.cluster.harness.cluster import Cluster
from tests.cluster.harness.given import GivenCluster


class Provider(StrEnum):
    """Where clusters come from."""

    GIVEN = "given"
    KIND = "kind"
    OWN = "own"


@cache
def chosen() -> Provider:
    """Where this process's cluster comes from; raises RuntimeError where the environment says nonsense."""
    if path := os.environ.get("TRAINJOBS_KUBECONFIG"):
        if not Path(path).is_file():
            raise RuntimeError(f"TRAINJOBS_KUBECONFIG: there is no file {path}")
        return Provider.GIVEN
    if wanted := os.environ.get("TRAINJOBS_PROVIDER"):
        if wanted not in (Provider.KIND, Provider.OWN):
            raise RuntimeError(f"TRAINJOBS_PROVIDER: {wanted} is not allowed; give kind or own")
        return Provider(wanted)
    return Provider.KIND if _docker_runs() else Provider.OWN


def build() -> None:
    """Build and install what a cluster needs, so that starting it takes seconds."""
    match chosen():
        case Provider.GIVEN:
            parts.build((parts.KUBECTL, parts.HELM))
        case Provider.KIND:
            kind.build()
        case Provider.OWN:
            own.build()


def obtain() -> Cluster:
    """Return a cluster for the tests of this process."""
    return own.obtain() if chosen() is Provider.OWN else start()


def start() -> Cluster:
    """Return a cluster that runs until `stop`."""
    match chosen():
        case Provider.GIVEN:
            return GivenCluster(Path(os.environ["TRAINJOBS_KUBECONFIG"]).resolve())
        case Provider.KIND:
            return kind.start()
        case Provider.OWN:
            return own.start()


def stop() -> None:
    """Stop what `start` has started; a given cluster is left alone."""
    match chosen():
        case Provider.GIVEN:
            pass
        case Provider.KIND:
            kind.stop()
        case Provider.OWN:
            own.stop()


def _docker_runs() -> bool:
    if shutil.which("docker") is None:
        return False
    return subprocess.run(["docker", "info"], capture_output=True, check=False).returncode == 0
