"""Pods and jobs for tests, as the restricted Pod Security level wants them."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.cluster.harness.images import BASE_IMAGE

Manifest = dict[str, Any]
# Any image with Python will do; a given cluster has one of ours at least.
_IMAGE = os.environ.get("TRAINJOBS_OPERATOR_IMAGE") or BASE_IMAGE


def pod_spec(command: Sequence[str], *, image: str = _IMAGE, container: str = "main") -> Manifest:
    """A pod that runs one command as an ordinary user without any privilege."""
    return {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": 1,
        "securityContext": {
            "runAsNonRoot": True, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [
            {
                "name": container,
                "image": image,
                "imagePullPolicy": "IfNotPresent",
                "command": list(command),
                "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
            }
        ],
    }  # fmt: skip


def pod(
    name: str, namespace: str, command: Sequence[str], *, labels: Mapping[str, str] | None = None
) -> Manifest:
    """A pod by itself."""
    metadata = {"name": name, "namespace": namespace, "labels": dict(labels or {})}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": pod_spec(command)}


def service(name: str, namespace: str, port: int) -> Manifest:
    """A Service for the pods that have the label `app` with its name."""
    spec = {"selector": {"app": name}, "ports": [{"port": 80, "targetPort": port}]}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
    }


def host_volume(name: str, namespace: str, folder: Path) -> tuple[Manifest, Manifest]:
    """A folder of this machine as a claim for pods to read: restricted pods may have claims, not hostPath."""
    size = {"storage": "1Gi"}
    volume = {
        "capacity": size,
        "accessModes": ["ReadOnlyMany"],
        "persistentVolumeReclaimPolicy": "Retain",
        "storageClassName": "",
        "hostPath": {"path": str(folder), "type": "Directory"},
        "claimRef": {"name": name, "namespace": namespace},
    }
    claim = {
        "accessModes": ["ReadOnlyMany"],
        "storageClassName": "",
        "volumeName": f"{namespace}-{name}",
        "resources": {"requests": size},
    }
    return (
        {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": f"{namespace}-{name}"},
            "spec": volume,
        },
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": name, "namespace": namespace},
            "spec": claim,
        },
    )


def pytorch_job(name: str, namespace: str, command: Sequence[str], *, nodes: int) -> Manifest:
    """A PyTorchJob of workers only, spread over the cluster's nodes."""
    template = pod_spec(command, container="pytorch")
    template["topologySpreadConstraints"] = [
        {
            "maxSkew": 1,
            "topologyKey": "kubernetes.io/hostname",
            "whenUnsatisfiable": "DoNotSchedule",
            "labelSelector": {"matchLabels": {"training.kubeflow.org/job-name": name}},
        }
    ]
    worker = {"replicas": nodes, "restartPolicy": "Never", "template": {"spec": template}}
    return {
        "apiVersion": "kubeflow.org/v1",
        "kind": "PyTorchJob",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "runPolicy": {"backoffLimit": 0, "cleanPodPolicy": "Running"},
            "pytorchReplicaSpecs": {"Worker": worker},
        },
    }
