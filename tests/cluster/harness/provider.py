"""Which cluster there is to use: a given one, kind where Docker runs, else one of our own parts."""

import os
import shutil
import subprocess
from pathlib import Path

from tests.cluster.harness import kind, own
from tests.cluster.harness.cluster import Cluster
from tests.cluster.harness.given import GivenCluster


def build() -> None:
    """Build and install what a cluster of our own parts needs, so that starting it takes seconds."""
    if not _given() and not _docker_runs():
        own.build()


def obtain() -> Cluster:
    """Return a cluster for the tests of this process."""
    if given := _given():
        return given
    return kind.start() if _docker_runs() else own.obtain()


def start() -> Cluster:
    """Return a cluster that runs until `stop`."""
    if given := _given():
        return given
    return kind.start() if _docker_runs() else own.start()


def stop() -> None:
    """Stop what `start` has started; a given cluster is left alone."""
    if _given():
        return
    if _docker_runs():
        kind.stop()
    else:
        own.stop()


def _given() -> GivenCluster | None:
    path = os.environ.get("TRAINJOBS_KUBECONFIG")
    if not path:
        return None
    if not Path(path).is_file():
        raise RuntimeError(f"TRAINJOBS_KUBECONFIG: there is no file {path}")
    return GivenCluster(Path(path).resolve())


def _docker_runs() -> bool:
    if shutil.which("docker") is None or shutil.which("kind") is None:
        return False
    return subprocess.run(["docker", "info"], capture_output=True, check=False).returncode == 0
