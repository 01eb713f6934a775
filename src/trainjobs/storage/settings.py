"""How storage is reached: the environment variables that every AWS tool reads, and bounds."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from trainjobs.errors import InvalidRecipe
from trainjobs.storage.outage import Outage, Untold

MIB = 1024 * 1024


class Addressing(StrEnum):
    """Whether the bucket stands in the URL's path or in the host's name."""

    PATH = "path"
    VIRTUAL = "virtual"


@dataclass(frozen=True, slots=True)
class StorageSettings:
    """Settings of every store that one program opens.

    Attributes:
        endpoint: URL of an S3-compatible server; None for AWS itself.
        region: None for what the credentials' profile says, else `us-east-1`.
        ca_bundle: PEM file with certificates to trust besides the system's.
        keys: folder with files named as the variables of the keys, which is read again for every request;
            None, or one without them: keys are looked for as every AWS tool does.
        addressing: `path` works with every server that has no wildcard name in DNS.
        start_seconds: after this long, a server that never answered is reported as unreachable.
        retry_seconds: for this long an operation is tried again while storage is away.
        outage: takes part in the waiting meanwhile.
        part_bytes: one request's share of a big file; S3 wants at least 5 MiB.
        memory_bytes: what all files in flight together may hold in memory.
        files_at_once: files that are read or written at the same time.
    """

    endpoint: str | None = None
    region: str | None = None
    ca_bundle: str | None = None
    keys: Path | None = None
    addressing: Addressing = Addressing.PATH
    start_seconds: float = 8.0
    retry_seconds: float = 300.0
    outage: Outage = field(default_factory=Untold)
    part_bytes: int = 8 * MIB
    memory_bytes: int = 128 * MIB
    files_at_once: int = 4

    def __post_init__(self) -> None:
        if self.endpoint is not None and not self.endpoint.startswith(("http://", "https://")):
            raise InvalidRecipe(
                f"storage endpoint {self.endpoint!r:.200}: must start with http:// or https://"
            )
        if self.part_bytes < 5 * MIB or self.memory_bytes < 2 * self.part_bytes:
            raise InvalidRecipe("storage: part_bytes must be at least 5 MiB, memory_bytes at least two parts")
        if self.files_at_once < 1 or self.start_seconds <= 0 or self.retry_seconds < 0:
            raise InvalidRecipe("storage: files_at_once and start_seconds must be positive")

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "StorageSettings":
        """Read the settings from environment variables; an empty one counts as unset.

        AWS_ENDPOINT_URL_S3 before AWS_ENDPOINT_URL, AWS_REGION before AWS_DEFAULT_REGION,
        AWS_CA_BUNDLE, TRAINJOBS_STORAGE_KEYS (a folder), and TRAINJOBS_S3_ADDRESSING (`path`, the
        default, or `virtual`).

        Raises:
            InvalidRecipe: a value is not usable; names the variable.
        """
        addressing = environment.get("TRAINJOBS_S3_ADDRESSING") or Addressing.PATH
        if addressing not in tuple(Addressing):
            raise InvalidRecipe(f"TRAINJOBS_S3_ADDRESSING: {addressing!r:.80} is not 'path' or 'virtual'")
        return cls(
            endpoint=environment.get("AWS_ENDPOINT_URL_S3") or environment.get("AWS_ENDPOINT_URL") or None,
            region=environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION") or None,
            ca_bundle=environment.get("AWS_CA_BUNDLE") or None,
            keys=Path(keys) if (keys := environment.get("TRAINJOBS_STORAGE_KEYS")) else None,
            addressing=Addressing(addressing),
        )
