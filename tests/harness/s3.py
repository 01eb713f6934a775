"""What tests do with an S3 server, whoever runs it: its address and a pair of keys are enough."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest

from trainjobs.storage.opening import open_store
from trainjobs.storage.store import Store

REGION = "us-east-1"


class S3Account:
    """A server's address, and keys that may make buckets there."""

    endpoint: str
    access_key: str
    secret_key: str
    region: str = REGION

    @property
    def environment(self) -> Mapping[str, str]:
        """What a program needs to find this server and sign in to it."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_REGION": self.region,
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }

    def make_bucket(self, name: str) -> str:
        """Make a bucket, if there is none of this name, and return its URI."""
        client = self._client()
        if name not in {bucket["Name"] for bucket in client.list_buckets()["Buckets"]}:
            client.create_bucket(Bucket=name)
        return f"s3://{name}"

    def remove_bucket(self, name: str) -> None:
        """Remove a bucket with everything in it."""
        self.open(f"s3://{name}").delete_folder("")
        self._client().delete_bucket(Bucket=name)

    def open(self, uri: str) -> Store:
        """A bucket or folder of this server as the product sees it, signed in with these keys."""
        with pytest.MonkeyPatch.context() as patch:
            for name, value in self.environment.items():
                patch.setenv(name, value)
            for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL_S3", "AWS_SESSION_TOKEN", "AWS_CA_BUNDLE"):
                patch.delenv(name, raising=False)
            return open_store(uri)

    def put_folder(self, folder: Path, uri: str) -> None:
        """Put the files of a folder below a URI."""
        store = self.open(uri)
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                store.put_file(str(path.relative_to(folder)), str(path))

    def put_markers(self, bucket: str, *keys: str) -> None:
        """Put what consoles and file browsers put for a folder: an empty object whose key ends in a slash."""
        for key in keys:
            self._client().put_object(Bucket=bucket, Key=key)

    def _client(self) -> Any:
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name=self.region,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
        )


@dataclass(frozen=True)
class S3(S3Account):
    """A server that somebody else runs."""

    endpoint: str
    access_key: str
    secret_key: str
    region: str = REGION
