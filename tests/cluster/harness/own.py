"""A cluster made of its own parts on this machine: Kubernetes, two nodes, training-operator, S3."""

import contextlib
import fcntl
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.harness import debian, images, parts, training_operator
from tests.cluster.harness.cluster import Cluster
from tests.cluster.harness.control_plane import ControlPlane
from tests.cluster.harness.layout import NODES, Layout, layout
from tests.cluster.harness.network import make_network
from tests.cluster.harness.node import Node
from tests.cluster.harness.pki import make_authority
from tests.cluster.harness.s3 import ClusterS3, another_s3, cluster_s3
from tests.cluster.harness.sandbox import Sandbox, make_sandbox, wait_for

# What CoreDNS may see; kube-proxy's and the controllers' rights come with Kubernetes.
_DNS_RULES = [
    {
        "apiGroups": [""],
        "resources": ["endpoints", "services", "pods", "namespaces"],
        "verbs": ["list", "watch"],
    },
    {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list", "watch"]},
]


@dataclass
class OwnCluster(Cluster):
    """A running cluster of ours, with what tests may do to its parts."""

    sandbox: Sandbox

    @property
    def folder(self) -> Path:
        return self.sandbox.layout.root

    @property
    def nodes(self) -> dict[str, Node]:
        """The nodes, by name: stop a kubelet, lose and recover a machine."""
        return {name: Node(name, self.sandbox) for name in NODES}

    @property
    def s3(self) -> ClusterS3:
        """The S3 server: `make_bucket`, `kill`, `start`."""
        return cluster_s3(self.sandbox)

    def another_s3(self) -> ClusterS3:
        """A server of the caller's own, started: to be killed without harm to other tests."""
        return another_s3(self.sandbox)

    def stop(self) -> None:
        self.sandbox.stop()

    def load_image(self, archive: Path, nodes: Sequence[str] | None = None) -> None:
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda name: self.nodes[name].load_image(archive), nodes or NODES))

    def stop_apiserver(self) -> None:
        """Kill the API server; pods run on."""
        self.sandbox.kill("kube-apiserver")

    def start_apiserver(self) -> None:
        """Start the API server again and wait until it is ready."""
        self._plane().start_apiserver()
        self._plane().wait_until_ready()

    def restart_etcd(self) -> None:
        """Kill etcd and start it again with its data; every watch of the API server breaks."""
        self.sandbox.kill("etcd")
        self._plane().start_etcd()
        self._plane().wait_until_ready()

    def stop_training_operator(self) -> None:
        """Kill training-operator; pods run on."""
        self.sandbox.kill(training_operator.NAME)

    def start_training_operator(self) -> None:
        """Start training-operator again and wait until its webhook listens."""
        training_operator.start(self.sandbox)
        wait_for(training_operator.listens, "training-operator's webhook", seconds=90)

    def _plane(self) -> ControlPlane:
        return ControlPlane(self.sandbox)


def obtain() -> OwnCluster:
    """Return the running cluster for the length of this process, started when there is none.

    Test processes that run side by side share it; it ends when the last of them has, however that ended.
    """
    while True:
        cluster = _find_or_start()
        # The last process that held it may have let go just now.
        with contextlib.suppress(ConnectionError):
            cluster.sandbox.hold()
            return cluster


def start() -> OwnCluster:
    """Start a cluster that runs until `stop`; returns the one that runs already."""
    return _find_or_start()


def stop() -> None:
    """Stop the cluster of this machine, and take away whatever one that crashed has left."""
    with _alone(layout()):
        Sandbox(layout()).stop()


def build() -> None:
    """Install and build whatever is missing: programs, and the images that a cluster starts with."""
    debian.install_missing()
    parts.build()
    images.pause_archive()
    images.base_archive()


def _find_or_start() -> OwnCluster:
    place = layout()
    with _alone(place):
        sandbox = Sandbox(place)
        if not sandbox.running():
            build()
            sandbox.stop()
            _assemble(place)
        return OwnCluster(place.kubeconfig, sandbox)


def _assemble(place: Layout) -> None:
    archives = [images.pause_archive(), images.base_archive()]
    sandbox = make_sandbox(place)
    try:
        _start_all(OwnCluster(place.kubeconfig, sandbox), archives)
    except BaseException:
        sandbox.stop()
        raise


def _start_all(cluster: OwnCluster, archives: Sequence[Path]) -> None:
    sandbox, place = cluster.sandbox, cluster.sandbox.layout
    make_network(sandbox)
    authority = make_authority(place)
    plane = ControlPlane(sandbox)
    plane.prepare(authority)
    training_operator.prepare(sandbox, authority)
    for node in cluster.nodes.values():
        node.prepare(authority)
        node.start_containerd()
        node.forget_containers()
    cluster.s3.start()
    with ThreadPoolExecutor() as pool:
        imported = [pool.submit(cluster.load_image, archive) for archive in archives]
        manifests = pool.submit(training_operator.manifests)
        plane.start()
        cluster.apply(*_dns_rights())
        plane.start_proxy()
        plane.start_dns()
        cluster.apply(*manifests.result())
        training_operator.start(sandbox)
        for future in imported:
            future.result()
    for node in cluster.nodes.values():
        node.start_kubelet()
    wait_for(
        lambda: len(cluster.ready_nodes()) == len(NODES), "both nodes to be Ready", seconds=120, every=0.3
    )
    wait_for(lambda: _hand_over_certificates(cluster), "training-operator's certificates", seconds=60)
    wait_for(training_operator.listens, "training-operator's webhook", seconds=90)


def _hand_over_certificates(cluster: OwnCluster) -> bool:
    secret = cluster.get("secret", training_operator.SECRET, "-n", training_operator.NAMESPACE)
    return training_operator.hand_over_certificates(cluster.sandbox, secret)


def _dns_rights() -> list[dict[str, object]]:
    kind, group = "ClusterRole", "rbac.authorization.k8s.io"
    metadata = {"name": "system:coredns"}
    return [
        {"apiVersion": f"{group}/v1", "kind": kind, "metadata": metadata, "rules": _DNS_RULES},
        {
            "apiVersion": f"{group}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": metadata,
            "roleRef": {"apiGroup": group, "kind": kind, "name": "system:coredns"},
            "subjects": [{"apiGroup": group, "kind": "User", "name": "system:coredns"}],
        },
    ]


@contextlib.contextmanager
def _alone(place: Layout) -> Iterator[None]:
    """Keep other processes from starting or stopping a cluster meanwhile."""
    place.root.mkdir(parents=True, exist_ok=True)
    with open(place.root.with_suffix(".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
