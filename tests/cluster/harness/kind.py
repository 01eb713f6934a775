"""A cluster by kind, where Docker runs: the same Kubernetes, two workers, training-operator as a pod."""

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from tests.cluster.harness import parts
from tests.cluster.harness.cluster import Cluster
from tests.cluster.harness.sandbox import checked
from tests.harness.go_tools import cache

NAME = "trainjobs"
_NODES = [{"role": "control-plane"}, {"role": "worker"}, {"role": "worker"}]


@dataclass
class KindCluster(Cluster):
    """Containers of Docker play the nodes."""

    def stop(self) -> None:
        stop()

    def load_image(self, archive: Path, nodes: Sequence[str] | None = None) -> None:
        chosen = ["--nodes", ",".join(nodes)] if nodes else []
        checked(["kind", "load", "image-archive", str(archive), "--name", NAME, *chosen])


def start() -> KindCluster:
    """Return the running cluster, or make it; it runs until `stop`, as Docker keeps it."""
    cluster = KindCluster(cache() / "kind.kubeconfig")
    if NAME not in checked(["kind", "get", "clusters"]).split():
        config = {"kind": "Cluster", "apiVersion": "kind.x-k8s.io/v1alpha4", "nodes": _NODES}
        image = f"kindest/node:v{parts.KUBELET.version}"
        command = ["kind", "create", "cluster", "--name", NAME, "--image", image, "--wait", "180s"]
        checked(
            [*command, "--kubeconfig", str(cluster.kubeconfig), "--config", "-"], stdin=yaml.safe_dump(config)
        )
    checked(["kind", "export", "kubeconfig", "--name", NAME, "--kubeconfig", str(cluster.kubeconfig)])
    overlay = parts.TRAINING_OPERATOR.source_folder() / "manifests" / "overlays" / "standalone"
    cluster.kubectl("apply", "--server-side", "--force-conflicts", "-k", str(overlay))
    cluster.kubectl("rollout", "status", "deployment/training-operator", "-n", "kubeflow", timeout=300)
    return cluster


def stop() -> None:
    """Delete the cluster."""
    subprocess.run(["kind", "delete", "cluster", "--name", NAME], capture_output=True, check=True)
