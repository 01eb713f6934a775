"""Which region a bucket is in, asked of the server itself."""

import boto3
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from trainjobs.storage.s3_words import Place
from trainjobs.storage.settings import StorageSettings

_SECONDS = 3


def region_of(place: Place, settings: StorageSettings) -> str:
    """Return the region of a bucket, or "" where the server does not say.

    It says so to everybody, with keys or without, in a header of whatever it answers to a HEAD of the bucket.
    """
    client = boto3.client(
        "s3",
        region_name=place.region,
        endpoint_url=settings.endpoint,
        verify=settings.ca_bundle,
        config=Config(
            signature_version=UNSIGNED,
            connect_timeout=_SECONDS,
            read_timeout=_SECONDS,
            retries={"total_max_attempts": 1},
            s3={"addressing_style": settings.addressing.value},
        ),
    )
    try:
        answer = client.head_bucket(Bucket=place.bucket)
    except ClientError as error:
        answer = error.response
    except BotoCoreError:
        return ""
    finally:
        client.close()
    headers: dict[str, str] = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    return headers.get("x-amz-bucket-region", "")
