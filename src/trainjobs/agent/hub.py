"""`hf://org/name@revision[/path]`, `hf://name`: models and data of the hub, or of a mirror (HF_ENDPOINT).

They lie in the cache that every program of the hub's library shares (HF_HUB_CACHE, HF_HOME, else
`~/.cache/huggingface`): what one run, or anything else, has fetched is not fetched again.
"""

import errno
import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass
from glob import escape
from pathlib import Path
from typing import Final, Literal
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from trainjobs.core.uris import parse_uri
from trainjobs.errors import (
    AccessDenied,
    DiskFull,
    HubUnavailable,
    InvalidRecipe,
    TrainjobsError,
)

_log = logging.getLogger(__name__)

Kind = Literal["model", "tokenizer", "dataset"]
# Weights come as safetensors; formats that execute code when they are loaded are not even fetched, nor
# are those that only other programs read.
_NEVER = (
    *("*.bin", "*.pt", "*.pth", "*.ckpt", "*.h5", "*.msgpack", "*.ot", "*.pkl", "*.pickle"),
    *("*.onnx", "*.onnx_data", "*.gguf", "*.tflite", "consolidated*.safetensors"),
)
_LEFT_OUT: Final[dict[Kind, list[str] | None]] = {
    "model": list(_NEVER),
    "tokenizer": [*_NEVER, "*.safetensors"],
    "dataset": None,
}
_DISK: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS})


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


def fetch_from_hub(uri: str, kind: Kind, missing: type[TrainjobsError]) -> Path:
    """Fetch what is not in the cache yet of a repository, or of the part that the path names.

    What arrives is verified; files that are whole are kept when others are cut off. Where the hub
    is away, a copy that is whole will do.

    Returns:
        Where it lies.

    Raises:
        InvalidRecipe: the hub has no such names.
        AccessDenied: it is gated, or the token (HF_TOKEN) is not known.
        HubUnavailable: the hub cannot be reached, and the cache holds no whole copy.
        DiskFull: the cache cannot be written.
        `missing`: there is no such repository, revision or file; or no copy, and HF_HUB_OFFLINE is set.
    """
    place = parse_hub_uri(uri)
    _prepare_library()
    # Half a second to import, which only runs that use the hub should pay.
    from huggingface_hub import constants, snapshot_download
    from huggingface_hub.errors import HFValidationError

    inside = escape(place.path)
    try:
        root = snapshot_download(
            place.repository,
            repo_type="dataset" if kind == "dataset" else "model",
            revision=place.revision,
            allow_patterns=[inside, f"{inside}/*"] if inside else None,
            ignore_patterns=_LEFT_OUT[kind],
        )
    except HFValidationError as error:
        raise InvalidRecipe(f"{uri}: {' '.join(str(error).split())}") from error
    except (_client_errors(), OSError, ValueError) as error:
        raise _refusal(uri, place, error, missing) from error
    found = Path(root) / place.path
    if not found.exists():
        raise missing(f"{uri}: there is no {place.path} in the repository")
    _log.info("%s is commit %s, in %s", uri, Path(root).name, constants.HF_HUB_CACHE)
    return found


def _prepare_library() -> None:
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    # A mirror repeats what the hub says of its other protocol, but not the store behind it.
    if os.environ.get("HF_ENDPOINT"):
        os.environ.setdefault("HF_HUB_DISABLE_XET", "1")


def _client_errors() -> type[Exception]:
    """What the hub's library raises where a connection fails; not all of it is an OSError."""
    from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined]

    client: type[Exception] = HTTPError
    return client


def _refusal(uri: str, place: HubPlace, error: Exception, missing: type[TrainjobsError]) -> TrainjobsError:
    """The error of ours for one of the hub's library."""
    from huggingface_hub import constants
    from huggingface_hub.errors import (
        DisabledRepoError,
        EntryNotFoundError,
        GatedRepoError,
        HfHubHTTPError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    cause = next((one for one in _chain(error) if isinstance(one, HfHubHTTPError)), error)
    status = cause.response.status_code if isinstance(cause, HfHubHTTPError) else None
    match cause:
        case GatedRepoError() | DisabledRepoError():
            return AccessDenied(
                f"{uri}: access has to be granted first; ask for it on the hub and set HF_TOKEN"
            )
        case RepositoryNotFoundError():
            return missing(
                f"{uri}: not found on the hub; check the name, and set HF_TOKEN if the repository is private"
            )
        case RevisionNotFoundError():
            return missing(f"{uri}: not found on the hub; check the revision {place.revision}")
        case EntryNotFoundError() if not isinstance(cause, LocalEntryNotFoundError):
            return missing(f"{uri}: not found on the hub; check the path {place.path}")
        case OSError() if cause.errno in _DISK:
            return DiskFull(
                f"{constants.HF_HUB_CACHE}: {cause.strerror}; make room, or name another folder in HF_HOME"
            )
    if status in (401, 403):
        return AccessDenied(f"{uri}: the hub does not accept the token in HF_TOKEN; set one that is valid")
    if constants.is_offline_mode():
        return missing(
            f"{uri}: HF_HUB_OFFLINE is set, and {constants.HF_HUB_CACHE} holds no whole copy of it;"
            f" fetch it where there is a network (hf download {place.repository}), or unset HF_HUB_OFFLINE"
        )
    endpoint = constants.ENDPOINT
    return HubUnavailable(
        f"{uri}: the hub at {_address(endpoint)} {_what_is_wrong(endpoint, error, status)},"
        f" and {constants.HF_HUB_CACHE} holds no whole copy"
    )


def _what_is_wrong(endpoint: str, error: Exception, status: int | None) -> str:
    if status == 429:
        return "answers 429 Too Many Requests (known users may ask more often: HF_TOKEN)"
    if status is not None:
        return f"answers {status}"
    causes = [type(one).__name__ for one in _chain(error)]
    if "FileMetadataError" in causes or "JSONDecodeError" in causes:
        return "does not answer as a hub does"
    said = next((_first_line(one) for one in reversed([*_chain(error)]) if str(one)), type(error).__name__)
    return f"cannot be reached{_by_proxy(endpoint)} ({said:.200})"


def _by_proxy(endpoint: str) -> str:
    parts = urlsplit(endpoint)
    proxy = getproxies().get(parts.scheme)
    if proxy is None or proxy_bypass(parts.netloc):
        return ""
    return f" by the proxy {_address(proxy)}"


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what it came of, the last thing first."""
    found: BaseException | None = error
    seen: set[int] = set()
    while found is not None and id(found) not in seen:
        seen.add(id(found))
        yield found
        found = found.__cause__ or found.__context__


def _address(endpoint: str) -> str:
    """An endpoint without the password that may stand in it."""
    parts = urlsplit(endpoint)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _first_line(error: BaseException) -> str:
    return str(error).strip().split("\n", 1)[0]
