"""One bucket: how it is reached, signed in to, and how hard is tried."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from obstore.exceptions import BaseError
from obstore.store import S3Store as Bucket

from trainjobs.errors import InvalidRecipe
from trainjobs.storage.budget import MemoryBudget
from trainjobs.storage.keys import find_keys
from trainjobs.storage.retry import with_retries
from trainjobs.storage.s3_errors import explain
from trainjobs.storage.s3_questions import AskServer
from trainjobs.storage.s3_words import Place, Refusal
from trainjobs.storage.settings import Addressing, StorageSettings

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig, S3Config

Result = TypeVar("Result")

# obstore's own retries bridge a lost packet or one bad answer; with_retries bridges an outage.
_SHORT_RETRY: "RetryConfig" = {
    "max_retries": 3,
    "retry_timeout": timedelta(seconds=30),
    "backoff": {"init_backoff": timedelta(milliseconds=100), "max_backoff": timedelta(seconds=2), "base": 2},
}
_NO_RETRY: "RetryConfig" = {"max_retries": 0, "retry_timeout": timedelta(seconds=1)}
# A part has this long to go through: 8 MiB in a minute is 1.1 Mbit/s.
_PART_TIMEOUT = timedelta(seconds=60)
_CONNECT_TIMEOUT = timedelta(seconds=3)
# A first answer that takes longer is asked for again, sooner where somebody sits and waits for it.
_FIRST_ANSWER_SECONDS = 10.0
# Errors that obstore raises for a refused or failed request.
REQUEST_ERRORS = (BaseError, FileNotFoundError)


class S3Connection:
    """What the stores of one bucket share: clients, credentials, memory budget, threads."""

    def __init__(self, bucket: str, settings: StorageSettings, budget: MemoryBudget) -> None:
        self.settings = settings
        self.budget = budget
        keys = find_keys(bucket, settings.keys)
        config = _config(bucket, settings, keys.provider.config)
        region = config["region"]
        self.place = Place(bucket, settings.endpoint or f"AWS {region}", keys.source, region)
        options = _client_options(settings)
        self.bucket = Bucket(
            config=config,
            client_options={**options, "timeout": _PART_TIMEOUT},
            retry_config=_SHORT_RETRY,
            credential_provider=keys.provider,
        )
        self.impatient = Bucket(
            config=config,
            client_options={**options, "timeout": timedelta(seconds=_first_answer(settings))},
            retry_config=_NO_RETRY,
            credential_provider=keys.provider,
        )
        self.threads = ThreadPoolExecutor(
            max(budget.total // settings.part_bytes, 1), thread_name_prefix="trainjobs-s3"
        )

    def call(self, doing: str, operation: Callable[[], Result]) -> Result:
        """Run one request, through an outage if need be, and raise errors of ours."""
        return self._call(doing, operation, self.settings.retry_seconds)

    def call_soon(self, doing: str, operation: Callable[[], Result]) -> Result:
        """Run one request, and give up early: for the first contact."""
        return self._call(doing, operation, self.settings.start_seconds - _first_answer(self.settings))

    def _call(self, doing: str, operation: Callable[[], Result], seconds: float) -> Result:
        def refusal(error: Exception) -> Refusal:
            return explain(error, self.place, doing, AskServer(self.place, self.settings))

        return with_retries(
            operation, refusal, errors=REQUEST_ERRORS, seconds=seconds, outage=self.settings.outage
        )


def _first_answer(settings: StorageSettings) -> float:
    return min(settings.start_seconds / 2, _FIRST_ANSWER_SECONDS)


def _config(bucket: str, settings: StorageSettings, given: "S3Config") -> "S3Config":
    config: S3Config = {
        "bucket": bucket,
        "region": settings.region or given.get("region") or "us-east-1",
        "virtual_hosted_style_request": settings.addressing is Addressing.VIRTUAL,
        "conditional_put": "etag",
        # Many stores know no deletion of several objects at once, and its answer can be a success that denies
        # every single one. Nothing here deletes so much that the one request saved would count.
        "disable_bulk_delete": True,
    }
    if settings.endpoint is not None:
        config["endpoint"] = _endpoint(bucket, settings.endpoint, settings.addressing)
    return config


def _endpoint(bucket: str, endpoint: str, addressing: Addressing) -> str:
    if addressing is Addressing.PATH:
        return endpoint
    # obstore wants the bucket in the host's name already.
    scheme, _, rest = endpoint.partition("://")
    return endpoint if rest.startswith(f"{bucket}.") else f"{scheme}://{bucket}.{rest}"


def _client_options(settings: StorageSettings) -> "ClientConfig":
    options: ClientConfig = {
        "connect_timeout": _CONNECT_TIMEOUT,
        "allow_http": (settings.endpoint or "").startswith("http://"),
    }
    if settings.ca_bundle is not None:
        try:
            options["root_certificate"] = Path(settings.ca_bundle).read_bytes()
        except OSError as error:
            raise InvalidRecipe(f"AWS_CA_BUNDLE: {settings.ca_bundle}: {error.strerror}") from error
    return options
