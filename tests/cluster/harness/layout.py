"""Where a cluster made of its own parts keeps its files, and which addresses it uses."""

import os
from dataclasses import dataclass
from pathlib import Path

# Several clusters can run side by side, by their numbers: 0 for trial (`make cluster-up`), 1 for the tests.
NUMBER = int(os.environ.get("TRAINJOBS_CLUSTER") or "0")
if not 0 <= NUMBER <= 5:
    raise ValueError(f"TRAINJOBS_CLUSTER: {NUMBER} is not allowed; give a number from 0 to 5")

# One bridge carries both nodes' pods; the control plane and the services of the tests listen on its address.
BRIDGE = "cni0"
_POD_PREFIX = f"10.{244 + 2 * NUMBER}"
PODS = f"{_POD_PREFIX}.0.0/16"
HUB = f"{_POD_PREFIX}.0.1"
SERVICES = f"10.{96 + NUMBER}.0.0/16"
SERVICE_OF_API = f"10.{96 + NUMBER}.0.1"
CLUSTER_DOMAIN = "cluster.local"
# The cluster has a network namespace of its own; this pair of addresses joins it to the machine.
UPLINK = f"trainjobs{NUMBER}"
_UPLINK_PREFIX = f"10.{245 + 2 * NUMBER}.0"
UPLINK_OUTSIDE, UPLINK_INSIDE = f"{_UPLINK_PREFIX}.1", f"{_UPLINK_PREFIX}.2"
API_PORT = 6443
# Who signs the tokens of this cluster's pods. Token services fetch an issuer's keys from public addresses
# only: this one is for documentation (RFC 5737), and exists in the cluster's network namespace alone.
ISSUER_ADDRESS = "203.0.113.1"
ISSUER = f"https://{ISSUER_ADDRESS}"
S3_PORT = 9000
NODES = ("node1", "node2")
CGROUP = f"trainjobs{NUMBER}"


@dataclass(frozen=True, slots=True)
class Layout:
    """The folder of one cluster. When the cluster stops, all of it goes but `logs`; `images` is beside it."""

    root: Path

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def audit_log(self) -> Path:
        """What the operator has asked of the API server: a line of JSON for each request."""
        return self.logs / "audit.log"

    def images(self, node: str) -> Path:
        """What a node's containerd has imported: kept, as large ones take minutes to import."""
        return self.root.parent / "images" / f"{self.root.name}-{node}"

    @property
    def control(self) -> Path:
        """The supervisor's socket."""
        return self.root / "control.sock"

    @property
    def pki(self) -> Path:
        return self.root / "pki"

    @property
    def authority(self) -> Path:
        """The certificate that signs all others."""
        return self.pki / "ca.pem"

    @property
    def authority_key(self) -> Path:
        return self.pki / "ca-key.pem"

    @property
    def kubeconfig(self) -> Path:
        """The administrator's."""
        return self.root / "kubeconfig"

    def kubeconfig_of(self, name: str) -> Path:
        return self.pki / f"{name}.kubeconfig"


def layout() -> Layout:
    """The layout of the cluster that has this process's number."""
    return Layout(Path(f"/var/lib/trainjobs/cluster{NUMBER}"))


def node_address(node: str) -> str:
    """The address that a node's kubelet listens on, one more of the bridge's."""
    return f"{_POD_PREFIX}.0.{10 + NODES.index(node) + 1}"


def pod_range(node: str) -> tuple[str, str]:
    """The first and last pod address of a node."""
    prefix = f"{_POD_PREFIX}.{NODES.index(node) + 1}"
    return f"{prefix}.10", f"{prefix}.250"
