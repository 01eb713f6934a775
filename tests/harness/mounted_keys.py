"""Keys in files, as a Secret is mounted, and a server that takes one session token at a time."""

import os
from dataclasses import dataclass
from pathlib import Path

from tests.harness.s3_in_memory import Answer, Request, refused


@dataclass
class Guard:
    """Takes one session token, and refuses all others as S3 does."""

    token: str = "first"
    names_it: bool = False
    """Whether its answer names the token that it refuses."""

    def __call__(self, request: Request) -> Answer | None:
        given = request.headers.get("x-amz-security-token", "")
        if given == self.token:
            return None
        named = f" {given}" if self.names_it else ""
        return refused(403, "ExpiredToken", f"The provided token{named} has expired.")


def write_secret(folder: Path, version: str, **keys: str) -> None:
    """Write a Secret as the kubelet does: files of one version, and links that lead to it."""
    there = folder / f"..{version}"
    there.mkdir(parents=True)
    for name, value in keys.items():
        (there / name).write_text(f"{value}\n")
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(f"..data/{name}")
    (folder / "..new").symlink_to(there.name)
    os.replace(folder / "..new", folder / "..data")


def session_keys(token: str) -> dict[str, str]:
    """A pair of keys, and the token that goes with them."""
    return {"AWS_ACCESS_KEY_ID": "tests", "AWS_SECRET_ACCESS_KEY": "hidden", "AWS_SESSION_TOKEN": token}
