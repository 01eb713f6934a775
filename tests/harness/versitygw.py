"""A real S3 server over a folder: versitygw, on a free port of the loopback."""

import contextlib
import os
import random
import secrets
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.harness.go_tools import tool
from tests.harness.s3 import REGION, S3Account
from tests.harness.tls import TLS
from trainjobs.storage.settings import StorageSettings

VERSION = "1.8.0"
PACKAGE = "github.com/versity/versitygw/cmd/versitygw"


def binary() -> Path:
    """The server's program, built on first use (about a minute)."""
    return tool("versitygw", PACKAGE, VERSION)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Build the server before the first test, so that no test's time limit has to allow for it."""
    if session.items and not session.config.option.collectonly:
        binary()


def free_port(address: str = "127.0.0.1") -> int:
    """Return a port of the loopback that nothing listens on.

    It is none of those that the kernel gives to outgoing connections: between this question and the start of
    who listens there, seconds pass, and tests beside this one connect all the time.
    """
    while True:
        port = random.randint(20_000, 29_999)
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind((address, port))
            return port


@dataclass
class S3Server(S3Account):
    """One server; the buckets are the folders below `folder`."""

    folder: Path
    access_key: str = "tests"
    secret_key: str = field(default_factory=lambda: secrets.token_hex(16))
    port: int = field(default_factory=free_port)
    tls: TLS | None = None
    _process: "subprocess.Popen[bytes] | None" = None

    @property
    def endpoint(self) -> str:
        return f"{'http' if self.tls is None else 'https'}://127.0.0.1:{self.port}"

    @property
    def settings(self) -> StorageSettings:
        return StorageSettings(endpoint=self.endpoint, region=REGION)

    def make_bucket(self, name: str) -> str:
        """Make a bucket and return its URI."""
        (self.folder / name).mkdir(parents=True, exist_ok=True)
        return f"s3://{name}"

    def start(self) -> None:
        """Start the server on its port and wait until it answers."""
        self.folder.mkdir(parents=True, exist_ok=True)
        log = open(self.folder.with_suffix(".log"), "ab")  # noqa: SIM115
        environment = {**os.environ, "ROOT_ACCESS_KEY": self.access_key, "ROOT_SECRET_KEY": self.secret_key}
        command = [str(binary()), "--port", f"127.0.0.1:{self.port}", "--region", REGION, "--keep-alive"]
        if self.tls is not None:
            command += ["--cert", str(self.tls.certificate), "--key", str(self.tls.key)]
        self._process = subprocess.Popen(
            [*command, "posix", str(self.folder)], stdout=log, stderr=log, env=environment
        )
        log.close()
        self._wait_until_it_answers(seconds=20)

    def _wait_until_it_answers(self, *, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self._process is None or self._process.poll() is not None:
                break
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return
            time.sleep(0.02)
        log = self.folder.with_suffix(".log").read_text(errors="replace")
        raise RuntimeError(f"versitygw does not answer on port {self.port}:\n{log[-2000:]}")

    def kill(self) -> None:
        """End the server at once, as a crash would; its folder stays."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


@contextlib.contextmanager
def s3_server(folder: Path, tls: TLS | None = None) -> Iterator[S3Server]:
    """Run a server over a folder for the length of a block."""
    server = S3Server(folder, tls=tls)
    server.start()
    try:
        yield server
    finally:
        server.kill()


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """One server for all tests of a process; each test takes a bucket of its own."""
    with s3_server(tmp_path_factory.mktemp("s3") / "buckets") as server:
        yield server


@pytest.fixture
def s3_environment(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> S3Server:
    """The server, with this process signed in to it."""
    for name, value in s3.environment.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL_S3", "AWS_SESSION_TOKEN", "AWS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    return s3
