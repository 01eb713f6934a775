"""A cluster by kind, where Docker runs: the same Kubernetes, two workers, training-operator as a pod."""

import contextlib
import fcntl
import json
import os
import secrets
import shutil
import socket
import subprocess
import sysconfig
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import yaml

from tests.cluster.harness import images, kind_image, parts
from tests.cluster.harness.cluster import Cluster
from tests.cluster.harness.kind_image import NODE_IMAGE
from tests.cluster.harness.manifests import pytorch_job
from tests.cluster.harness.sandbox import checked, wait_for
from tests.harness.go_tools import cache
from tests.harness.s3 import REGION, S3
from tests.harness.versitygw import binary

NAME = "trainjobs"
_S3 = "trainjobs-s3"
_S3_PORT = 9000
_EMPTY_IMAGE = "trainjobs.dev/empty:1"
# A Service answers once its pod is Ready, not up to a second later.
_PROXY = {"kind": "KubeProxyConfiguration", "nftables": {"minSyncPeriod": "100ms"}}


@dataclass
class KindCluster(Cluster):
    """Containers of Docker play the nodes."""

    @property
    def folder(self) -> Path:
        return _folder()

    @property
    def s3(self) -> S3:
        address = checked(
            ["docker", "inspect", "--format", "{{.NetworkSettings.Networks.kind.IPAddress}}", _S3]
        )
        return S3(f"http://{address.strip()}:{_S3_PORT}", **json.loads(_keys_file().read_text()))

    def stop(self) -> None:
        stop()

    def images(self, node: str) -> list[str]:
        """The names of a node's images."""
        return checked(["docker", "exec", node, "ctr", "--namespace", "k8s.io", "images", "ls", "-q"]).split()

    def load_image(self, archive: Path, nodes: Sequence[str] | None = None) -> None:
        chosen = ["--nodes", ",".join(nodes)] if nodes else []
        _kind("load", "image-archive", str(archive), "--name", NAME, *chosen)


def build() -> None:
    """Build what starting needs beside Docker; the node image is pulled, or made by `kind_image`."""
    parts.build(parts.OF_KIND)
    binary()
    images.base_archive()


def start() -> KindCluster:
    """Return the running cluster, or make it; it runs until `stop`, as Docker keeps it."""
    with _locked():
        cluster = KindCluster(_folder() / "kubeconfig")
        furnished = _folder() / "furnished"
        if NAME not in _kind("get", "clusters").split():
            furnished.unlink(missing_ok=True)
            _create(cluster)
        if not furnished.exists():
            _furnish(cluster)
            furnished.touch()
    return cluster


def stop() -> None:
    """Delete the cluster with its S3 server, and what both have left."""
    with _locked():
        _kind("delete", "cluster", "--name", NAME, "--kubeconfig", str(_folder() / "kubeconfig"))
        checked(["docker", "rm", "--force", _S3])
        shutil.rmtree(_folder())


def _create(cluster: KindCluster) -> None:
    # Pods get the libraries of the tests from their node.
    libraries = sysconfig.get_path("purelib")
    mount = {"hostPath": libraries, "containerPath": libraries, "readOnly": True}
    worker = {"role": "worker", "extraMounts": [mount]}
    config = {
        "kind": "Cluster",
        "apiVersion": "kind.x-k8s.io/v1alpha4",
        "nodes": [{"role": "control-plane"}, worker, worker],
        "networking": {"kubeProxyMode": "nftables"},
        "kubeadmConfigPatches": [yaml.dump(_PROXY)],
    }
    options = ["--image", _node_image(), "--wait", "180s", "--kubeconfig", str(cluster.kubeconfig)]
    _kind("create", "cluster", "--name", NAME, *options, "--config", "-", stdin=yaml.dump(config))


def _node_image() -> str:
    """The node image that was made here, else the one of kind's own that Docker has or can pull."""
    upstream = f"kindest/node:v{parts.KUBELET.version}"
    for command in (["image", "inspect", NODE_IMAGE], ["image", "inspect", upstream], ["pull", upstream]):
        if subprocess.run(["docker", *command], capture_output=True, check=False).returncode == 0:
            return command[-1]
    raise RuntimeError(
        f"no registry gives {upstream}: `python -m {kind_image.__name__}` makes a node image without one"
    )


def _furnish(cluster: KindCluster) -> None:
    """Give a cluster what the others have: training-operator, the base image, an S3 server."""
    # kind itself waits for the control plane only.
    cluster.kubectl("wait", "nodes", "--all", "--for=condition=Ready", "--timeout=180s", timeout=190)
    overlay = parts.TRAINING_OPERATOR.source_folder() / "manifests" / "overlays" / "standalone"
    cluster.kubectl("apply", "--server-side", "--force-conflicts", "-k", str(overlay))
    cluster.load_image(images.base_archive())
    _start_s3(cluster)
    rollout = ("rollout", "status", "deployment/training-operator", "-n", "kubeflow", "--timeout=300s")
    cluster.kubectl(*rollout, timeout=310)
    job = json.dumps(pytorch_job("asked", "default", ["true"], nodes=1))
    ask = ("create", "--dry-run=server", "-f", "-")
    wait_for(
        lambda: cluster.try_kubectl(*ask, stdin=job).returncode == 0,
        "training-operator's webhook to admit a job",
        seconds=60,
        every=1,
    )


def _start_s3(cluster: KindCluster) -> None:
    """Start versitygw beside the nodes, over a folder of this machine."""
    keys = {"access_key": NAME, "secret_key": secrets.token_hex(16)}
    _keys_file().touch(mode=0o600)
    _keys_file().write_text(json.dumps(keys))
    data = cluster.folder / "s3"
    data.mkdir(exist_ok=True)
    checked(["docker", "rm", "--force", _S3])
    # The program is static, so that an image of nothing will do: a tar archive ends with two empty blocks.
    checked(["docker", "import", "-", _EMPTY_IMAGE], stdin="\0" * 1024)
    variables = f"ROOT_ACCESS_KEY={keys['access_key']}\nROOT_SECRET_KEY={keys['secret_key']}\n"
    options = [
        "--detach", "--name", _S3, "--network", "kind", "--env-file", "/dev/stdin",
        "--user", f"{os.getuid()}:{os.getgid()}",
        "--volume", f"{binary()}:/versitygw:ro", "--volume", f"{data}:/data",
    ]  # fmt: skip
    program = ["/versitygw", "--port", f":{_S3_PORT}", "--region", REGION, "--keep-alive", "posix", "/data"]
    checked(["docker", "run", *options, _EMPTY_IMAGE, *program], stdin=variables)
    wait_for(lambda: _listens(urlsplit(cluster.s3.endpoint).hostname), "the S3 server", seconds=20)


def _listens(address: str | None) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((address, _S3_PORT), timeout=1):
        return True
    return False


def _keys_file() -> Path:
    return _folder() / "s3.json"


def _folder() -> Path:
    folder = cache() / "kind"
    folder.mkdir(exist_ok=True)
    return folder


@contextlib.contextmanager
def _locked() -> Iterator[None]:
    """One process at a time starts and stops the cluster; the others find what it has made."""
    with open(cache() / "kind.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _kind(*arguments: str, stdin: str | None = None) -> str:
    return checked([str(parts.KIND.binary()), *arguments], stdin=stdin)
