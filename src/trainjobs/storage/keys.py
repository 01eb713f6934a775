"""S3 keys: found as every AWS tool finds them, and asked for again before they end."""

from dataclasses import dataclass
from datetime import timedelta

import boto3
from botocore.exceptions import BotoCoreError
from obstore.auth.boto3 import Boto3CredentialProvider

from trainjobs.errors import AccessDenied

# botocore hands out no keys that end within ten minutes. Kept for longer than that, which obstore would do
# with those of a workload identity, they would be refused until it asks again.
_KEPT = timedelta(minutes=10)
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

    provider: Boto3CredentialProvider
    source: str


def find_keys(bucket: str) -> Keys:
    """Find out who gives keys for a bucket; those of a role are asked for at the first request.

    Raises:
        AccessDenied: nobody does.
    """
    try:
        provider = Boto3CredentialProvider(boto3.Session(), ttl=_KEPT)
    except (ValueError, BotoCoreError) as error:
        raise AccessDenied(
            f"s3://{bucket}: no S3 keys found ({error}); set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, "
            "a profile, or a workload identity"
        ) from error
    method = str(provider.credentials.method)
    return Keys(provider, _SOURCES.get(method, method))
