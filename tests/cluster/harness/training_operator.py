"""Kubeflow's training-operator from its own manifests, run beside the control plane instead of in a pod.

A pod of it would go down with its node, which the tests lose on purpose. It keeps its ServiceAccount's
rights: its certificate names that account, so the RBAC in force is the upstream one. Its admission webhook is
called by the API server through its Service, whose endpoint is written by hand.
"""

import contextlib
import socket
from base64 import b64decode
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.cluster.harness import parts
from tests.cluster.harness.layout import HUB
from tests.cluster.harness.pki import Authority
from tests.cluster.harness.sandbox import Sandbox, checked

NAMESPACE = "kubeflow"
NAME = "training-operator"
ACCOUNT = f"system:serviceaccount:{NAMESPACE}:{NAME}"
SECRET = "training-operator-webhook-cert"
# A megabyte of YAML: ten times as fast in C, where PyYAML was built with it.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_WEBHOOK_PORT, _METRICS_PORT = 9443, 8080


def manifests() -> list[dict[str, Any]]:
    """Upstream's objects without its Deployment, with the endpoints that its pod would have been.

    Of its kinds only PyTorchJob: the others' definitions are a fifth of the API server's memory and start-up.
    """
    base = parts.TRAINING_OPERATOR.source_folder() / "manifests" / "base"
    rendered = checked([str(parts.KUBECTL.binary()), "kustomize", str(base)])
    objects = [_placed(obj) for obj in yaml.load_all(rendered, _LOADER) if _wanted(obj)]
    named = {"name": SECRET, "namespace": NAMESPACE}
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
        *objects,
        _endpoints(),
        {"apiVersion": "v1", "kind": "Secret", "metadata": named},
    ]


def prepare(sandbox: Sandbox, authority: Authority) -> None:
    """Write its kubeconfig, and make the folder of its certificates."""
    authority.kubeconfig(NAME, user=ACCOUNT, group="system:serviceaccounts")
    _certificates(sandbox).mkdir()


def start(sandbox: Sandbox) -> None:
    """Start it; the first time it makes certificates and waits until they are handed over."""
    # Where it looks for certificates is fixed, below /tmp: it gets a /tmp of its own.
    inside = (
        "folder=/tmp/k8s-webhook-server/serving-certs && mount -t tmpfs tmpfs /tmp && mkdir -p $folder && "
        'mount --bind "$1" $folder && shift && exec "$@"'
    )
    command: list[str | Path] = [
        "unshare", "--mount", "sh", "-c", inside, "sh", _certificates(sandbox),
        parts.TRAINING_OPERATOR.binary(), "--kubeconfig", sandbox.layout.kubeconfig_of(NAME),
        "--enable-scheme", "pytorchjob",
        "--webhook-server-port", str(_WEBHOOK_PORT), "--metrics-bind-address", f"{HUB}:{_METRICS_PORT}",
        "--health-probe-bind-address", f"{HUB}:8081",
    ]  # fmt: skip
    sandbox.start(NAME, command, {"MY_POD_NAMESPACE": NAMESPACE, "MY_POD_NAME": f"{NAME}-0"})


def hand_over_certificates(sandbox: Sandbox, secret: Mapping[str, Any]) -> bool:
    """Give it the certificates that it has put into its Secret, as a kubelet would; False until it has."""
    if not secret.get("data"):
        return False
    for name, content in secret["data"].items():
        path = _certificates(sandbox) / name
        path.touch(mode=0o600)
        path.write_bytes(b64decode(content))
    return True


def listens() -> bool:
    """Whether its webhook takes connections, without which no PyTorchJob can be created."""
    with contextlib.suppress(OSError), socket.create_connection((HUB, _WEBHOOK_PORT), timeout=1):
        return True
    return False


def _certificates(sandbox: Sandbox) -> Path:
    return sandbox.layout.root / "training-operator-certificates"


def _wanted(obj: dict[str, Any]) -> bool:
    if obj["kind"] == "CustomResourceDefinition":
        return bool(obj["metadata"]["name"] == "pytorchjobs.kubeflow.org")
    return bool(obj["kind"] != "Deployment")


def _placed(obj: dict[str, Any]) -> dict[str, Any]:
    """An upstream object in its namespace, as the overlay of a release would put it there."""
    match obj["kind"]:
        case "ServiceAccount":
            obj["metadata"]["namespace"] = NAMESPACE
        case "ClusterRoleBinding":
            obj["subjects"][0]["namespace"] = NAMESPACE
        case "Service":
            obj["metadata"]["namespace"] = NAMESPACE
            del obj["spec"]["selector"]
        case "ValidatingWebhookConfiguration":
            for webhook in obj["webhooks"]:
                webhook["clientConfig"]["service"]["namespace"] = NAMESPACE
    return obj


def _endpoints() -> dict[str, Any]:
    ports = {"monitoring-port": _METRICS_PORT, "webhook-server": _WEBHOOK_PORT}
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": NAME, "namespace": NAMESPACE, "labels": {"kubernetes.io/service-name": NAME}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": [HUB], "conditions": {"ready": True}}],
        "ports": [{"name": name, "port": port, "protocol": "TCP"} for name, port in ports.items()],
    }
