"""Certificates of a cluster: one authority, a certificate for each program, and kubeconfigs with them."""

import json
from base64 import b64encode
from dataclasses import dataclass
from pathlib import Path

import trustme
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.cluster.harness.layout import API_PORT, HUB, Layout


@dataclass(frozen=True, slots=True)
class Pair:
    """Paths of a certificate and its key, PEM."""

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class Authority:
    """Signs the certificates of one cluster."""

    layout: Layout
    ca: trustme.CA

    def issue(self, name: str, *hosts: str, user: str | None = None, group: str | None = None) -> Pair:
        """Write a certificate for servers at `hosts`, or for a client that is `user` of `group`."""
        # Go refuses a certificate whose list of names is empty: a client's own name fills it.
        leaf = self.ca.issue_cert(*(hosts or [name]), common_name=user or name, organization_name=group)
        pair = Pair(self.layout.pki / f"{name}.pem", self.layout.pki / f"{name}-key.pem")
        pair.certificate.write_bytes(b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
        _write_secret(pair.key, leaf.private_key_pem.bytes())
        return pair

    def kubeconfig(self, name: str, *, user: str, group: str | None = None, path: Path | None = None) -> Path:
        """Write the kubeconfig of a client."""
        pair = self.issue(f"{name}-client", user=user, group=group)
        cluster = {
            "server": f"https://{HUB}:{API_PORT}",
            "certificate-authority-data": _base64(self.layout.authority),
        }
        credentials = {
            "client-certificate-data": _base64(pair.certificate),
            "client-key-data": _base64(pair.key),
        }
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "trainjobs", "cluster": cluster}],
            "users": [{"name": name, "user": credentials}],
            "contexts": [{"name": "trainjobs", "context": {"cluster": "trainjobs", "user": name}}],
            "current-context": "trainjobs",
        }
        path = path or self.layout.kubeconfig_of(name)
        _write_secret(path, json.dumps(config, indent=1).encode())  # JSON is YAML
        return path


def make_authority(layout: Layout) -> Authority:
    """Make a new authority and the key that signs service accounts' tokens."""
    layout.pki.mkdir(parents=True)
    authority = Authority(layout, trustme.CA(organization_name="trainjobs tests"))
    layout.authority.write_bytes(authority.ca.cert_pem.bytes())
    _write_secret(layout.authority_key, authority.ca.private_key_pem.bytes())
    signer = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    _write_secret(
        layout.pki / "service-accounts.pem",
        signer.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ),
    )
    return authority


def _write_secret(path: Path, content: bytes) -> None:
    path.touch(mode=0o600)
    path.write_bytes(content)


def _base64(path: Path) -> str:
    return b64encode(path.read_bytes()).decode()
