"""The programs that a cluster is made of: built once from pinned Go modules, kept in the cache by version."""

import re
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.harness.go_tools import module_folder, tool

GO = Path(__file__).parent / "go"


@dataclass(frozen=True, slots=True)
class Part:
    """One program: where its source is, and the go.mod that pins its version."""

    name: str
    package: str
    source: str
    module: str

    @property
    def version(self) -> str:
        """The version of the source module, as the committed go.mod has it, without its `v`."""
        pinned = re.search(
            rf"^\s*(?:require )?{re.escape(self.source)} v(\S+)",
            (GO / self.module / "go.mod").read_text(),
            re.MULTILINE,
        )
        if pinned is None:
            raise LookupError(f"{GO / self.module / 'go.mod'} does not require {self.source}")
        return pinned[1]

    def binary(self) -> Path:
        """The path of the program; the first use on a machine builds it, minutes for the large ones."""
        return tool(self.name, self.package, self.version, module=GO / self.module, stamps=self._stamps())

    def source_folder(self) -> Path:
        """The folder of the source module, for the manifests that it ships; read-only."""
        return module_folder(GO / self.module, self.source)

    def _stamps(self) -> dict[str, str]:
        # Without its version a kubelet reports v0.0.0, and clients' version checks fail.
        if self.source != "k8s.io/kubernetes":
            return {}
        major, minor, *_ = self.version.split(".")
        at = "k8s.io/component-base/version"
        return {f"{at}.gitVersion": f"v{self.version}", f"{at}.gitMajor": major, f"{at}.gitMinor": minor}


def _kubernetes(name: str) -> Part:
    return Part(name, f"k8s.io/kubernetes/cmd/{name}", "k8s.io/kubernetes", "kubernetes")


ETCD = Part("etcd", "go.etcd.io/etcd/server/v3", "go.etcd.io/etcd/server/v3", "kubernetes")
APISERVER = _kubernetes("kube-apiserver")
CONTROLLER_MANAGER = _kubernetes("kube-controller-manager")
SCHEDULER = _kubernetes("kube-scheduler")
KUBELET = _kubernetes("kubelet")
PROXY = _kubernetes("kube-proxy")
KUBECTL = _kubernetes("kubectl")
COREDNS = Part("coredns", "github.com/coredns/coredns", "github.com/coredns/coredns", "coredns")
HELM = Part("helm", "helm.sh/helm/v4/cmd/helm", "helm.sh/helm/v4", "helm")
TRAINING_OPERATOR = Part(
    "training-operator",
    "github.com/kubeflow/training-operator/cmd/training-operator.v1",
    "github.com/kubeflow/training-operator",
    "training-operator",
)

KIND = Part("kind", "sigs.k8s.io/kind", "sigs.k8s.io/kind", "kind")
KUBEADM = _kubernetes("kubeadm")
KUBE_ROUTER = Part(
    "kube-router",
    "github.com/cloudnativelabs/kube-router/v2/cmd/kube-router",
    "github.com/cloudnativelabs/kube-router/v2",
    "kind/kube-router",
)

ALL = (
    ETCD, APISERVER, CONTROLLER_MANAGER, SCHEDULER, KUBELET, PROXY, KUBECTL, COREDNS, HELM, TRAINING_OPERATOR,
)  # fmt: skip
OF_KIND = (KIND, KUBECTL, HELM)
"""What a cluster by kind takes from here, its node image aside."""


def build(programs: Iterable[Part] = ALL) -> None:
    """Build what the cache does not have yet, saying what takes the time."""
    for part in programs:
        started = time.monotonic()
        part.binary()
        if (took := time.monotonic() - started) > 1:
            print(f"built {part.name} {part.version} in {took:.0f} s", file=sys.stderr, flush=True)


if __name__ == "__main__":
    # All, or those that are named.
    build(part for part in ALL if part.name in (sys.argv[1:] or [one.name for one in ALL]))
