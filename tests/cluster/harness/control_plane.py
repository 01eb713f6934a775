"""etcd, the API server, its controllers and scheduler, kube-proxy and CoreDNS: how each is started."""

import json
import ssl
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.harness import parts
from tests.cluster.harness.layout import (
    API_PORT,
    CLUSTER_DOMAIN,
    HUB,
    ISSUER,
    PODS,
    SERVICE_OF_API,
    SERVICES,
    Layout,
)
from tests.cluster.harness.pki import Authority, Pair
from tests.cluster.harness.sandbox import Sandbox, wait_for

ETCD_URL = f"http://{HUB}:2379"
AUDITED_NAMESPACE = "trainjobs-system"
"""Every request of its ServiceAccounts is written down, for tests of rights: see `Layout.audit_log`."""
_AUDIT_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [
        {"level": "Metadata", "userGroups": [f"system:serviceaccounts:{AUDITED_NAMESPACE}"]},
        {"level": "None"},
    ],
}


@dataclass
class ControlPlane:
    """What decides; it runs beside the nodes, not on them, so that no lost node takes it along."""

    sandbox: Sandbox

    @property
    def layout(self) -> Layout:
        return self.sandbox.layout

    def prepare(self, authority: Authority) -> None:
        """Write the certificates and kubeconfigs of its programs."""
        service = "kubernetes.default.svc"
        authority.issue(
            "apiserver", HUB, SERVICE_OF_API, service, f"{service}.{CLUSTER_DOMAIN}", "kubernetes.default"
        )
        authority.issue("apiserver-to-kubelet", user="apiserver-to-kubelet", group="system:masters")
        authority.kubeconfig("admin", user="admin", group="system:masters", path=self.layout.kubeconfig)
        for name in ("kube-controller-manager", "kube-scheduler", "kube-proxy", "coredns"):
            authority.kubeconfig(name, user=f"system:{name}")

    def start(self) -> None:
        """Start all of it and wait for the API server."""
        self.start_etcd()
        self.start_apiserver()
        self.wait_until_ready()
        self.start_controllers()

    def start_etcd(self) -> None:
        command: list[str | Path] = [
            parts.ETCD.binary(), "--data-dir", self.layout.root / "etcd", "--unsafe-no-fsync",
            "--listen-client-urls", ETCD_URL, "--advertise-client-urls", ETCD_URL,
            "--listen-peer-urls", f"http://{HUB}:2380", "--log-level", "warn",
        ]  # fmt: skip
        self.sandbox.start("etcd", command)

    def start_apiserver(self) -> None:
        pki = self.layout.pki
        serving, client = _pair(pki, "apiserver"), _pair(pki, "apiserver-to-kubelet")
        audit_policy = self.layout.root / "audit-policy.json"
        audit_policy.write_text(json.dumps(_AUDIT_POLICY))
        flags = {
            "etcd-servers": ETCD_URL,
            "bind-address": HUB,
            # Endpoints of the kubernetes service may not be loopback addresses.
            "advertise-address": HUB,
            "secure-port": API_PORT,
            "service-cluster-ip-range": SERVICES,
            "authorization-mode": "Node,RBAC",
            # The second asks more of whoever names an owner, as OpenShift does.
            "enable-admission-plugins": "NodeRestriction,OwnerReferencesPermissionEnforcement",
            "audit-policy-file": audit_policy,
            "audit-log-path": self.layout.audit_log,
            "allow-privileged": "true",
            "client-ca-file": self.layout.authority,
            "tls-cert-file": serving.certificate,
            "tls-private-key-file": serving.key,
            "kubelet-certificate-authority": self.layout.authority,
            "kubelet-client-certificate": client.certificate,
            "kubelet-client-key": client.key,
            "kubelet-preferred-address-types": "InternalIP",
            "service-account-issuer": ISSUER,
            "service-account-jwks-uri": f"{ISSUER}/openid/v1/jwks",
            "service-account-key-file": pki / "service-accounts.pem",
            "service-account-signing-key-file": pki / "service-accounts.pem",
            "profiling": "false",
        }
        self.sandbox.start("kube-apiserver", _command(parts.APISERVER.binary(), flags))

    def start_controllers(self) -> None:
        pki = self.layout.pki
        config = self.layout.kubeconfig_of("kube-controller-manager")
        flags = {
            "kubeconfig": config,
            "authentication-kubeconfig": config,
            "authorization-kubeconfig": config,
            "bind-address": HUB,
            "use-service-account-credentials": "true",
            "root-ca-file": self.layout.authority,
            "service-account-private-key-file": pki / "service-accounts.pem",
            "cluster-signing-cert-file": self.layout.authority,
            "cluster-signing-key-file": self.layout.authority_key,
            "flex-volume-plugin-dir": self.layout.root / "volume-plugins",
            # Alone and restarted by tests: no leases to wait for. A lost node is noticed within 20 s, not 40.
            "leader-elect": "false",
            "node-monitor-grace-period": "16s",
            "node-monitor-period": "2s",
        }
        self.sandbox.start("kube-controller-manager", _command(parts.CONTROLLER_MANAGER.binary(), flags))
        config = self.layout.kubeconfig_of("kube-scheduler")
        flags = {
            "kubeconfig": config,
            "authentication-kubeconfig": config,
            "authorization-kubeconfig": config,
            "bind-address": HUB,
            "leader-elect": "false",
        }
        self.sandbox.start("kube-scheduler", _command(parts.SCHEDULER.binary(), flags))

    def start_proxy(self) -> None:
        """Start the one kube-proxy that serves both nodes, which share a network."""
        config = {
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
            "kind": "KubeProxyConfiguration",
            "mode": "nftables",
            "clusterCIDR": PODS,
            "bindAddress": HUB,
            "clientConnection": {"kubeconfig": str(self.layout.kubeconfig_of("kube-proxy"))},
            # The machine's connection tracking is not this namespace's to set.
            "conntrack": {
                "maxPerCore": 0,
                "min": 0,
                "tcpEstablishedTimeout": "0s",
                "tcpCloseWaitTimeout": "0s",
            },
        }
        path = self.layout.root / "kube-proxy.json"
        path.write_text(json.dumps(config))
        self.sandbox.start(
            "kube-proxy", [parts.PROXY.binary(), "--config", path, "--hostname-override", "node1"]
        )

    def start_dns(self) -> None:
        """Start CoreDNS on the address that kubelets write into pods' resolv.conf."""
        path = self.layout.root / "Corefile"
        path.write_text(
            f".:53 {{\n  bind {HUB}\n  errors\n  ready {HUB}:8181\n  cache 5\n"
            f"  kubernetes {CLUSTER_DOMAIN} in-addr.arpa {{\n"
            f"    kubeconfig {self.layout.kubeconfig_of('coredns')}\n"
            "    pods insecure\n    ttl 5\n  }\n}\n"
        )
        self.sandbox.start("coredns", [parts.COREDNS.binary(), "-conf", path])

    def wait_until_ready(self) -> None:
        """Wait until the API server says it is ready."""
        wait_for(self._ready, "the API server to be ready", seconds=120)

    def _ready(self) -> bool:
        if not self.sandbox.alive("kube-apiserver"):
            log = (self.layout.logs / "kube-apiserver.log").read_text(errors="replace")
            raise RuntimeError(f"kube-apiserver has ended:\n{log[-2000:]}")
        trusted = ssl.create_default_context(cafile=str(self.layout.authority))
        try:
            with urllib.request.urlopen(
                f"https://{HUB}:{API_PORT}/readyz", timeout=2, context=trusted
            ) as answer:
                return bool(answer.status == 200)
        except (OSError, urllib.error.URLError):
            return False


def _pair(folder: Path, name: str) -> Pair:
    return Pair(folder / f"{name}.pem", folder / f"{name}-key.pem")


def _command(binary: Path, flags: dict[str, object]) -> list[str | Path]:
    return [binary, *(f"--{flag}={value}" for flag, value in flags.items())]
