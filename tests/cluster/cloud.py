"""A cloud around the cluster: a token service that trusts its issuer, and storage that trusts the service."""

import base64
import hashlib
import json
import shutil
import ssl
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3

from tests.cluster.bench import BUCKET, Bench
from tests.cluster.cloud_program import AUDIENCE
from tests.cluster.harness.layout import HUB, ISSUER, ISSUER_ADDRESS
from tests.cluster.harness.sandbox import wait_for
from tests.harness import token_service
from tests.harness.s3 import REGION
from tests.harness.tls import TLS, make_certificate
from tests.harness.versitygw import binary

ROLE = "trainer"
_IAM = f"{HUB}:9446"
_S3 = f"{HUB}:9447"
_PROGRAMS = ("cloud-storage", "cloud-tokens", "cloud-documents")
_WEBHOOK = "pod-identity"


@dataclass
class Cloud:
    """Gives the pods of one namespace a role, if the role trusts their ServiceAccount."""

    bench: Bench

    @property
    def endpoint(self) -> str:
        """Of storage that knows the role, over the buckets of the cluster's S3."""
        return f"http://{_S3}"

    @property
    def token_endpoint(self) -> str:
        return f"http://{_IAM}"

    @property
    def role(self) -> str:
        """The role's ARN."""
        return f"arn:aws:iam::000000000000:role/{ROLE}"

    def start(self) -> None:
        """Start all of it."""
        folder = self.bench.own.sandbox.layout.root / "cloud"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        certificate = make_certificate(folder, ISSUER_ADDRESS)
        # An issuer's authority is known by what it puts last into its chain.
        with certificate.certificate.open("ab") as chain:
            chain.write(certificate.authority.read_bytes())
        self._start_documents(folder, certificate)
        self._start_token_service(folder, certificate)
        self._start_storage(folder)
        self._hook_pods(certificate)

    def stop(self) -> None:
        """End all of it."""
        self.bench.cluster.kubectl("delete", "mutatingwebhookconfiguration", _WEBHOOK, "--ignore-not-found")
        for name in _PROGRAMS:
            self.bench.own.sandbox.kill(name)

    def trust(self, account: str) -> None:
        """Let the role trust one ServiceAccount of the namespace, and no other."""
        policy = json.dumps(self._trust(account))
        self._iam().update_assume_role_policy(RoleName=ROLE, PolicyDocument=policy)

    def _start_documents(self, folder: Path, certificate: TLS) -> None:
        """Publish the issuer's documents as the API server has them, as other clusters do from a bucket."""
        public = folder / "public"
        for path in (".well-known/openid-configuration", "openid/v1/jwks"):
            file = public / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(self.bench.cluster.kubectl("get", "--raw", f"/{path}"))
        variables = {"AWS_ROLE_ARN": self.role, "AWS_ENDPOINT_URL_STS": self.token_endpoint}
        self._run(
            "cloud-documents", sys.executable, Path(__file__).with_name("cloud_program.py"), ISSUER_ADDRESS,
            certificate.certificate, certificate.key, public, json.dumps(variables),
        )  # fmt: skip

    def _start_token_service(self, folder: Path, certificate: TLS) -> None:
        accounts = folder / "iam"
        accounts.mkdir()
        self._run("cloud-tokens", *token_service.command(_IAM, accounts, folder / "private.sock"))
        iam = self._iam()
        wait_for((folder / "private.sock").exists, "the token service", seconds=20, every=0.1)
        pinned = hashlib.sha1(ssl.PEM_cert_to_DER_cert(certificate.authority.read_text())).hexdigest()
        iam.create_open_id_connect_provider(Url=ISSUER, ClientIDList=[AUDIENCE], ThumbprintList=[pinned])
        iam.create_role(RoleName=ROLE, AssumeRolePolicyDocument=json.dumps(self._trust("default")))
        buckets = [f"arn:aws:s3:::{name}" for name in (BUCKET, self.bench.namespace)]
        allowed = {
            "Effect": "Allow",
            "Action": "s3:*",
            "Resource": [*buckets, *(f"{one}/*" for one in buckets)],
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
        iam.put_role_policy(RoleName=ROLE, PolicyName="runs", PolicyDocument=policy)

    def _start_storage(self, folder: Path) -> None:
        self._run(
            "cloud-storage", binary(), "--port", _S3, "--region", REGION, "--keep-alive",
            "--iam-standalone-endpoint", folder / "private.sock", "posix", self.bench.own.s3.folder,
        )  # fmt: skip

    def _hook_pods(self, certificate: TLS) -> None:
        authority = base64.b64encode(certificate.authority.read_bytes()).decode()
        webhook: dict[str, Any] = {
            "name": "pods.identity.example.com",
            "clientConfig": {"url": f"{ISSUER}/pods", "caBundle": authority},
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": self.bench.namespace}},
            "rules": [
                {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"], "operations": ["CREATE"]}
            ],
            "admissionReviewVersions": ["v1"],
            "sideEffects": "None",
        }
        self.bench.cluster.apply(
            {
                "apiVersion": "admissionregistration.k8s.io/v1",
                "kind": "MutatingWebhookConfiguration",
                "metadata": {"name": _WEBHOOK},
                "webhooks": [webhook],
            }
        )

    def _trust(self, account: str) -> dict[str, Any]:
        subject = f"system:serviceaccount:{self.bench.namespace}:{account}"
        statement = {
            "Effect": "Allow",
            "Principal": {"Federated": f"arn:aws:iam::000000000000:oidc-provider/{ISSUER_ADDRESS}"},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {
                "StringEquals": {f"{ISSUER_ADDRESS}:aud": AUDIENCE, f"{ISSUER_ADDRESS}:sub": subject}
            },
        }
        return {"Version": "2012-10-17", "Statement": [statement]}

    def _iam(self) -> Any:
        return boto3.client(
            "iam",
            endpoint_url=self.token_endpoint,
            aws_access_key_id=token_service.ROOT_KEY,
            aws_secret_access_key=token_service.ROOT_SECRET,
            region_name=REGION,
        )

    def _run(self, name: str, *argv: str | Path) -> None:
        self.bench.own.sandbox.start(name, argv, token_service.ENVIRONMENT)
