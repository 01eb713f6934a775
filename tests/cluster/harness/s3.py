"""The cluster's S3 server: versitygw over a folder, on an address that pods and tests both reach."""

import contextlib
import json
import os
import secrets
import socket
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.harness.layout import HUB, S3_PORT
from tests.cluster.harness.sandbox import Sandbox, wait_for
from tests.harness.versitygw import REGION, S3Server, binary

_NAME = "versitygw"


@dataclass
class ClusterS3(S3Server):
    """One server for all test processes; its data and keys live as long as the cluster."""

    sandbox: Sandbox | None = None

    @property
    def endpoint(self) -> str:
        return f"http://{HUB}:{S3_PORT}"

    def start(self) -> None:
        """Start the server, again after `kill` with the data that it had."""
        self.folder.mkdir(exist_ok=True)
        command: list[str | Path] = [
            binary(),
            "--port",
            f"{HUB}:{S3_PORT}",
            "--region",
            REGION,
            "--keep-alive",
            "posix",
            self.folder,
        ]
        keys = {"ROOT_ACCESS_KEY": self.access_key, "ROOT_SECRET_KEY": self.secret_key}
        self._own().start(_NAME, command, keys)
        wait_for(self._answers, "the S3 server", seconds=20)

    def kill(self) -> None:
        """End the server, as an outage would; its folder stays."""
        self._own().kill(_NAME)

    def revoke_keys(self) -> "ClusterS3":
        """Refuse the keys that were given out from now on; returns the server with its new ones."""
        self.kill()
        assert self.sandbox is not None
        (self.sandbox.layout.root / "s3.json").unlink()
        renewed = cluster_s3(self.sandbox)
        renewed.start()
        return renewed

    def _own(self) -> Sandbox:
        assert self.sandbox is not None
        return self.sandbox

    def _answers(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection((HUB, S3_PORT), timeout=1):
            return True
        return False


def cluster_s3(sandbox: Sandbox) -> ClusterS3:
    """The S3 server of a cluster, with the keys that its first caller made."""
    path = sandbox.layout.root / "s3.json"
    if not path.exists():
        with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
            json.dump({"access_key": "trainjobs", "secret_key": secrets.token_hex(16)}, file)
    return ClusterS3(
        sandbox.layout.root / "s3", port=S3_PORT, sandbox=sandbox, **json.loads(path.read_text())
    )
