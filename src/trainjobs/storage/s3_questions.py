"""What the server is asked itself, where its refusal leaves open what would be right."""

import socket
import ssl
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from typing import Protocol
from urllib.parse import urlsplit

import boto3
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from trainjobs.storage.s3_words import Place
from trainjobs.storage.settings import StorageSettings

_SECONDS = 3
_REDIRECTS = {301, 302, 307, 308}


class Questions(Protocol):
    """What only the server knows."""

    def region(self) -> str:
        """Return the region that the bucket is in, or "" where the server does not say."""

    def speaks_tls(self) -> bool:
        """Whether the server wants TLS, though it was asked by plain HTTP."""

    def sends_to(self) -> str:
        """Return the address that the server sends everybody to, "" where it answers itself."""


class NotAsked:
    """No server to ask."""

    def region(self) -> str:
        """Nobody says."""
        return ""

    def speaks_tls(self) -> bool:
        """Nobody says so."""
        return False

    def sends_to(self) -> str:
        """Nobody sends anywhere."""
        return ""


@dataclass(frozen=True, slots=True)
class AskServer:
    """Asks the server of a bucket, once for each question."""

    place: Place
    settings: StorageSettings

    def region(self) -> str:
        """Return the region that the bucket is in, or "" where the server does not say.

        It says so to everybody, with keys or without, in a header of its answer to a HEAD of the bucket.
        """
        client = boto3.client(
            "s3",
            region_name=self.place.region,
            endpoint_url=self.settings.endpoint,
            verify=self.settings.ca_bundle,
            config=Config(
                signature_version=UNSIGNED,
                connect_timeout=_SECONDS,
                read_timeout=_SECONDS,
                retries={"total_max_attempts": 1},
                s3={"addressing_style": self.settings.addressing.value},
            ),
        )
        try:
            answer = client.head_bucket(Bucket=self.place.bucket)
        except ClientError as error:
            answer = error.response
        except BotoCoreError:
            return ""
        finally:
            client.close()
        headers: dict[str, str] = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {})
        return headers.get("x-amz-bucket-region", "")

    def speaks_tls(self) -> bool:
        """Whether a server that was asked by plain HTTP shakes hands by TLS, whoever it claims to be."""
        address = urlsplit(self.settings.endpoint or "")
        if address.scheme != "http" or not address.hostname:
            return False
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        try:
            with (
                socket.create_connection((address.hostname, address.port or 80), timeout=_SECONDS) as plain,
                context.wrap_socket(plain, server_hostname=address.hostname),
            ):
                return True
        except OSError:
            return False

    def sends_to(self) -> str:
        """Return where an ingress sends plain HTTP to that wants TLS; a signature does not go along."""
        address = urlsplit(self.settings.endpoint or "")
        if address.scheme != "http" or not address.hostname:
            return ""
        connection = HTTPConnection(address.hostname, address.port or 80, timeout=_SECONDS)
        try:
            connection.request("HEAD", "/")
            answer = connection.getresponse()
        except (OSError, HTTPException):
            return ""
        finally:
            connection.close()
        target = urlsplit(answer.headers.get("Location", "") if answer.status in _REDIRECTS else "")
        return f"{target.scheme}://{target.netloc}" if target.scheme == "https" else ""
