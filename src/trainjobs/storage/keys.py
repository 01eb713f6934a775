"""S3 keys: found as every AWS tool finds them, and asked for again before they end."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
from botocore.exceptions import BotoCoreError
from obstore.auth.boto3 import Boto3CredentialProvider

from trainjobs.errors import AccessDenied

if TYPE_CHECKING:
    from obstore.store import S3Config, S3Credential

# botocore hands out no keys that end within ten minutes. Kept for longer than that, which obstore would do
# with those of a workload identity, they would be refused until it asks again.
_KEPT = timedelta(minutes=10)
KEY_ID, SECRET_KEY, SESSION_TOKEN = "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"
# How botocore names the places that it finds keys in, in words for messages.
_SOURCES = {
    "env": "the environment (AWS_ACCESS_KEY_ID)",
    "shared-credentials-file": "the shared credentials file (~/.aws/credentials)",
    "config-file": "the AWS configuration file (~/.aws/config)",
    "assume-role": "an assumed role",
    "assume-role-with-web-identity": "the pod's web identity",
    "container-role": "the container's role",
    "iam-role": "the machine's role",
    "sso": "single sign-on",
}


@dataclass(frozen=True, slots=True)
class Keys:
    """Who gives keys when a request needs them, and where they come from, in words."""

    provider: "Boto3CredentialProvider | MountedKeys"
    source: str


class MountedKeys:
    """Gives the keys of a folder, one file for each, as a Secret is mounted.

    They are read again for every request: whoever replaces a session token before it ends replaces the
    files, while a program's environment stays as it was when it began.
    """

    def __init__(self, folder: Path, first: "S3Credential") -> None:
        self.config: S3Config = {}
        self._folder = folder
        self._last = first

    def __call__(self) -> "S3Credential":
        """Read them; where they are away, or in part, the last ones are given."""
        self._last = _read(self._folder) or self._last
        return self._last


def _read(folder: Path) -> "S3Credential | None":
    # The kubelet replaces all files of a volume at once, by one link: two reads of it may be of two Secrets.
    there = (folder / "..data").resolve() if (folder / "..data").exists() else folder
    found = {name: _text(there / name) for name in (KEY_ID, SECRET_KEY, SESSION_TOKEN)}
    if not found[KEY_ID] or not found[SECRET_KEY]:
        return None
    return {
        "access_key_id": found[KEY_ID],
        "secret_access_key": found[SECRET_KEY],
        "token": found[SESSION_TOKEN] or None,
        # At once: obstore asks again before each request then.
        "expires_at": datetime.now(UTC),
    }


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def find_keys(bucket: str, mounted: Path | None) -> Keys:
    """Find out who gives keys for a bucket; those of a role are asked for at the first request.

    Args:
        bucket: what they are for.
        mounted: folder that comes before everything else, where it holds keys.

    Raises:
        AccessDenied: nobody does.
    """
    if mounted is not None and (first := _read(mounted)) is not None:
        return Keys(MountedKeys(mounted, first), f"the Secret mounted at {mounted}")
    try:
        provider = Boto3CredentialProvider(boto3.Session(), ttl=_KEPT)
    except (ValueError, BotoCoreError) as error:
        raise AccessDenied(
            f"s3://{bucket}: no S3 keys found ({error}); set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, "
            "a profile, or a workload identity"
        ) from error
    method = str(provider.credentials.method)
    return Keys(provider, _SOURCES.get(method, method))
