"""The cluster's S3 servers: versitygw over a folder, on an address that pods and tests both reach."""

import contextlib
import json
import os
import secrets
import socket
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.harness.layout import HUB, S3_PORT
from tests.cluster.harness.sandbox import Sandbox, wait_for
from tests.harness.s3 import REGION
from tests.harness.versitygw import S3Server, binary

_MAIN = "s3"
_MOST = 50


@dataclass
class ClusterS3(S3Server):
    """One server for all test processes, or one of a test's own; data and keys last as the cluster does."""

    sandbox: Sandbox | None = None
    name: str = _MAIN

    @property
    def endpoint(self) -> str:
        return f"http://{HUB}:{self.port}"

    @property
    def program(self) -> str:
        """What the sandbox calls it."""
        return "versitygw" if self.name == _MAIN else f"versitygw-{self.name}"

    def start(self) -> None:
        """Start the server, again after `kill` with the data that it had."""
        self.folder.mkdir(exist_ok=True)
        command: list[str | Path] = [
            binary(),
            "--port",
            f"{HUB}:{self.port}",
            "--region",
            REGION,
            "--keep-alive",
            "posix",
            self.folder,
        ]
        keys = {"ROOT_ACCESS_KEY": self.access_key, "ROOT_SECRET_KEY": self.secret_key}
        self._own().start(self.program, command, keys)
        wait_for(self._answers, "the S3 server", seconds=20)

    def kill(self) -> None:
        """End the server, as an outage would; its folder stays."""
        self._own().kill(self.program)

    def revoke_keys(self) -> "ClusterS3":
        """Refuse the keys that were given out from now on; returns the server with its new ones."""
        self.kill()
        _keys(self._own(), self.name).unlink()
        renewed = _server(self._own(), self.name, self.port)
        renewed.start()
        return renewed

    def alive(self) -> bool:
        """Whether the server runs."""
        return self._own().alive(self.program)

    def _own(self) -> Sandbox:
        assert self.sandbox is not None
        return self.sandbox

    def _answers(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection((HUB, self.port), timeout=1):
            return True
        return False


def cluster_s3(sandbox: Sandbox) -> ClusterS3:
    """The S3 server of a cluster, with the keys that its first caller made."""
    return _server(sandbox, _MAIN, S3_PORT)


def another_s3(sandbox: Sandbox) -> ClusterS3:
    """Start a server of a test's own, which may be taken away without harm to other tests."""
    for port in range(S3_PORT + 1, S3_PORT + _MOST):
        name = f"s3-{port}"
        # Whoever makes the folder has the port, among test processes that run side by side.
        with contextlib.suppress(FileExistsError):
            (sandbox.layout.root / name).mkdir()
            server = _server(sandbox, name, port)
            server.start()
            return server
    raise RuntimeError(f"{_MOST} S3 servers have been started; there are no more ports for them")


def _server(sandbox: Sandbox, name: str, port: int) -> ClusterS3:
    path = _keys(sandbox, name)
    if not path.exists():
        with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
            json.dump({"access_key": "trainjobs", "secret_key": secrets.token_hex(16)}, file)
    keys = json.loads(path.read_text())
    return ClusterS3(sandbox.layout.root / name, port=port, sandbox=sandbox, name=name, **keys)


def _keys(sandbox: Sandbox, name: str) -> Path:
    return sandbox.layout.root / f"{name}.json"
