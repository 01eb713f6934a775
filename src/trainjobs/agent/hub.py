"""`hf://org/name@revision[/path]`, `hf://name`: models and data of the hub, or of a mirror (HF_ENDPOINT)."""

from dataclasses import dataclass
from glob import escape
from pathlib import Path
from typing import Literal

from trainjobs.core.uris import parse_uri
from trainjobs.errors import AccessDenied, InvalidRecipe, StorageUnavailable, TrainjobsError

# Weights come as safetensors; formats that execute code when they are loaded are not even fetched.
_NEVER = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.h5", "*.msgpack", "*.ot", "*.onnx", "*.pkl", "*.pickle")


@dataclass(frozen=True, slots=True)
class HubPlace:
    """A repository of the hub, a revision, and a path inside it ("" for all of it)."""

    repository: str
    revision: str
    path: str


def parse_hub_uri(uri: str) -> HubPlace:
    """Take a hub URI apart; the revision defaults to `main`.

    Raises:
        InvalidRecipe: it does not name a repository.
    """
    parts = parse_uri(uri)
    # Models of the hub's first days have no organisation: bert-base-uncased.
    owner, repository = (f"{parts.place}/", parts.path) if parts.path else ("", parts.place)
    repository, _, path = repository.partition("/")
    name, _, revision = repository.partition("@")
    if not parts.place or not name or uri.endswith(f"{parts.place}/"):
        raise InvalidRecipe(f"{uri!r:.200}: give hf://organisation/name, and @revision to pin it")
    return HubPlace(f"{owner}{name}", revision or "main", path)


def fetch_from_hub(
    uri: str, kind: Literal["model", "dataset"], cache: Path, missing: type[TrainjobsError]
) -> Path:
    """Fetch a repository, or the part of it that the path names, into a cache; return where it lies.

    The hub's own client resumes what was cut off and verifies what arrived.

    Raises:
        InvalidRecipe: the hub has no such names.
        AccessDenied: it is gated, or the token (HF_TOKEN) is missing or wrong.
        StorageUnavailable: the hub cannot be reached.
        `missing`: there is no such repository, revision or file.
    """
    # Half a second to import, which only runs that use the hub should pay.
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        EntryNotFoundError,
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    place = parse_hub_uri(uri)
    try:
        root = snapshot_download(
            place.repository,
            repo_type=kind,
            revision=place.revision,
            cache_dir=cache / "hub",
            allow_patterns=[escape(place.path), f"{escape(place.path)}/*"] if place.path else None,
            ignore_patterns=list(_NEVER) if kind == "model" else None,
        )
    except HFValidationError as error:
        raise InvalidRecipe(f"{uri}: {' '.join(str(error).split())}") from error
    except GatedRepoError as error:
        raise AccessDenied(
            f"{uri}: access has to be granted first; ask for it on the hub and set HF_TOKEN"
        ) from error
    except (RepositoryNotFoundError, RevisionNotFoundError, EntryNotFoundError) as error:
        if isinstance(error, LocalEntryNotFoundError):
            raise StorageUnavailable(
                f"{uri}: the hub cannot be reached, and {cache} holds no copy"
            ) from error
        raise missing(
            f"{uri}: not found on the hub; check the name and the revision {place.revision}"
        ) from error
    except (OfflineModeIsEnabled, HfHubHTTPError, OSError) as error:
        raise StorageUnavailable(f"{uri}: the hub cannot be reached ({error!s:.200})") from error
    found = Path(root) / place.path
    if not found.exists():
        raise missing(f"{uri}: there is no {place.path} in the repository")
    return found
