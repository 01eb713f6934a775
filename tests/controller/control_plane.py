"""A bare Kubernetes on the loopback: etcd and an API server, no controllers and no nodes.

What controllers and kubelets would do, tests do by hand: they make pods, and write the status of jobs and
pods. So every state that the operator has to see through can be had at once, on a real API server.
"""

import contextlib
import json
import os
import secrets
import shutil
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trustme
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.cluster.harness import parts
from tests.harness.versitygw import free_port

CRDS = Path(__file__).resolve().parents[2] / "crds"
ISSUER = "https://kubernetes.default.svc.cluster.local"
Manifest = Mapping[str, Any]


@dataclass
class ControlPlane:
    """etcd and an API server over one folder; the administrator's kubeconfig is `kubeconfig`."""

    folder: Path
    port: int = field(default_factory=free_port)
    etcd_port: int = field(default_factory=free_port)
    peer_port: int = field(default_factory=free_port)
    token: str = field(default_factory=lambda: secrets.token_hex(16))
    _programs: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    @property
    def kubeconfig(self) -> Path:
        return self.folder / "kubeconfig"

    @property
    def authority(self) -> Path:
        return self.folder / "ca.pem"

    def prepare(self) -> None:
        """Write certificates, keys and the administrator's credentials."""
        self.folder.mkdir(parents=True, exist_ok=True)
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(self.authority))
        server = authority.issue_cert("127.0.0.1", "localhost", "kubernetes.default.svc")
        server.private_key_and_cert_chain_pem.write_to_path(str(self.folder / "server.pem"))
        signer = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        (self.folder / "signer.pem").write_bytes(
            signer.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        (self.folder / "tokens.csv").write_text(f'{self.token},admin,admin,"system:masters"\n')
        self.write_kubeconfig(self.kubeconfig, self.token)

    def write_kubeconfig(self, path: Path, token: str, *, port: int | None = None) -> Path:
        """Write a kubeconfig for who has this token."""
        server = self.url if port is None else f"https://127.0.0.1:{port}"
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {"name": "bare", "cluster": {"server": server, "certificate-authority": str(self.authority)}}
            ],
            "users": [{"name": "who", "user": {"token": token}}],
            "contexts": [{"name": "bare", "context": {"cluster": "bare", "user": "who"}}],
            "current-context": "bare",
        }
        path.write_text(json.dumps(config))
        return path

    def start(self) -> None:
        """Start both and wait until the API server is ready."""
        self.start_etcd()
        self.start_apiserver()

    def start_etcd(self) -> None:
        client, peer = f"http://127.0.0.1:{self.etcd_port}", f"http://127.0.0.1:{self.peer_port}"
        self._start(
            "etcd", parts.ETCD.binary(), data_dir=self.folder / "etcd", unsafe_no_fsync="true",
            listen_client_urls=client, advertise_client_urls=client, listen_peer_urls=peer,
            initial_advertise_peer_urls=peer, initial_cluster=f"default={peer}", log_level="warn",
        )  # fmt: skip

    def start_apiserver(self) -> None:
        self._start(
            "kube-apiserver", parts.APISERVER.binary(), etcd_servers=f"http://127.0.0.1:{self.etcd_port}",
            bind_address="127.0.0.1", advertise_address="127.0.0.1", secure_port=self.port,
            # Its own Service would need an address that is not the loopback's.
            endpoint_reconciler_type="none", service_cluster_ip_range="10.255.0.0/24",
            authorization_mode="RBAC", token_auth_file=self.folder / "tokens.csv",
            # Accounts have no controller here that would make them.
            disable_admission_plugins="ServiceAccount",
            tls_cert_file=self.folder / "server.pem", tls_private_key_file=self.folder / "server.pem",
            service_account_issuer=ISSUER, service_account_key_file=self.folder / "signer.pem",
            service_account_signing_key_file=self.folder / "signer.pem", profiling="false",
            client_ca_file=self.authority, watch_cache="true",
        )  # fmt: skip
        self._wait_until_ready()

    def kill(self, name: str) -> None:
        """End a program at once, as a crash would."""
        program = self._programs.pop(name, None)
        if program is not None:
            program.kill()
            program.wait()

    def stop(self) -> None:
        """End both, and take away what they wrote."""
        for name in list(self._programs):
            self.kill(name)
        shutil.rmtree(self.folder, ignore_errors=True)

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """Run kubectl as the administrator and return what it prints."""
        done = self.try_kubectl(*arguments, stdin=stdin)
        if done.returncode != 0:
            raise RuntimeError(f"kubectl {' '.join(arguments)}: {(done.stderr or done.stdout).strip()}")
        return done.stdout

    def try_kubectl(self, *arguments: str, stdin: str | None = None) -> "subprocess.CompletedProcess[str]":
        """Run kubectl and return how it ended."""
        environment = {**os.environ, "KUBECONFIG": str(self.kubeconfig)}
        command = [str(parts.KUBECTL.binary()), *arguments]
        return subprocess.run(
            command, env=environment, input=stdin, capture_output=True, text=True, timeout=180, check=False
        )

    def request(self, method: str, path: str, body: object = None, content: str = "application/json") -> Any:
        """One request as the administrator; the answer, or urllib's HTTPError."""
        request = urllib.request.Request(
            f"{self.url}{path}", method=method, data=None if body is None else json.dumps(body).encode()
        )
        request.add_header("Authorization", f"Bearer {self.token}")
        request.add_header("Content-Type", content)
        trusted = ssl.create_default_context(cafile=str(self.authority))
        deadline = time.monotonic() + 120
        while True:
            try:
                with urllib.request.urlopen(request, timeout=60, context=trusted) as answer:
                    return json.loads(answer.read())
            except urllib.error.HTTPError as error:
                # A kind that is new: its storage is being set up.
                if error.code != 429 or time.monotonic() > deadline:
                    raise
                time.sleep(0.2)

    def apply(self, *objects: Manifest) -> None:
        """Apply objects on the server's side."""
        self.kubectl(
            "apply", "--server-side", "--force-conflicts", "-f", "-",
            stdin=yaml.safe_dump_all([dict(one) for one in objects]),
        )  # fmt: skip

    def install_crds(self) -> None:
        """Make the four kinds of run known, and PyTorchJobs as training-operator defines them."""
        self.kubectl("apply", "--server-side", "-f", str(CRDS))
        self.install_backend()

    def install_backend(self) -> None:
        """Make PyTorchJobs known, and wait until everything that is known can be used."""
        base = parts.TRAINING_OPERATOR.source_folder() / "manifests" / "base" / "crds"
        self.kubectl("apply", "--server-side", "-f", str(base / "kubeflow.org_pytorchjobs.yaml"))
        # `kubectl wait` for the condition fails at once where a definition has no conditions at all yet.
        self.kubectl("wait", "--for=jsonpath={.status.conditions}", "crd", "--all", "--timeout=120s")
        self.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=120s")

    def _start(self, name: str, binary: Path, **flags: object) -> None:
        arguments = [f"--{flag.replace('_', '-')}={value}" for flag, value in flags.items()]
        # Ends with this process, however that ends; with the lowest priority, as other tests run beside it.
        command = ["setpriv", "--pdeathsig", "KILL", str(binary), *arguments]
        with open(self.folder / f"{name}.log", "ab") as log:
            self._programs[name] = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env={"PATH": os.environ["PATH"]}
            )

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + 240
        while time.monotonic() < deadline:
            if self._programs["kube-apiserver"].poll() is not None:
                break
            with contextlib.suppress(OSError, ValueError):
                # The namespace is made by the API server itself, a moment after it is ready.
                self.request("GET", "/api/v1/namespaces/default")
                return
            time.sleep(0.1)
        log = (self.folder / "kube-apiserver.log").read_text(errors="replace")
        raise RuntimeError(f"the API server does not get ready:\n{log[-2000:]}")


@contextlib.contextmanager
def control_plane(folder: Path) -> Iterator[ControlPlane]:
    """Run one for the length of a block."""
    plane = ControlPlane(folder)
    plane.prepare()
    try:
        plane.start()
        yield plane
    finally:
        plane.stop()
