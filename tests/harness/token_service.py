"""A real token service (STS): versitygw's IAM, which takes the token of a pod for keys that end."""

import contextlib
import os
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.harness.versitygw import binary, free_port

ROOT_KEY = "root"
ROOT_SECRET = "root-of-the-tests"
ENVIRONMENT = {"ROOT_ACCESS_KEY": ROOT_KEY, "ROOT_SECRET_KEY": ROOT_SECRET}


def command(address: str, folder: Path, private: Path) -> Sequence[str | Path]:
    """What starts it: `private` is the socket by which S3 servers ask it who has which key."""
    return [binary(), "--port", address, "iam", "--dir", folder, "--private-ports", private]


@contextlib.contextmanager
def token_service(folder: Path) -> Iterator[str]:
    """Run one over an empty folder for the length of a block; gives its URL."""
    folder.mkdir()
    address = f"127.0.0.1:{free_port()}"
    with open(folder.with_suffix(".log"), "ab") as log:
        process = subprocess.Popen(
            command(address, folder, folder / "private.sock"),
            env={**os.environ, **ENVIRONMENT},
            stdout=log,
            stderr=log,
        )
    try:
        _wait_until_it_answers(address, seconds=20)
        yield f"http://{address}"
    finally:
        process.kill()
        process.wait()


def _wait_until_it_answers(address: str, *, seconds: float) -> None:
    host, port = address.split(":")
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection((host, int(port)), timeout=1):
            return
        time.sleep(0.02)
    raise RuntimeError(f"the token service does not answer at {address}")
