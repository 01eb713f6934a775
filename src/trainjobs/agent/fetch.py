"""Brings base model, tokenizer and data to this node, all at once."""

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from trainjobs.agent.hub import Kind, fetch_from_hub
from trainjobs.agent.objects import fetch_objects
from trainjobs.agent.options import Options
from trainjobs.agent.places import local_path
from trainjobs.agent.status import Status
from trainjobs.api.sources import sources
from trainjobs.core.recipe.model import Recipe
from trainjobs.core.uris import Scheme, parse_uri, typed_as_it_is
from trainjobs.errors import InvalidData, ModelNotFound, TrainjobsError
from trainjobs.storage.settings import StorageSettings


@dataclass(frozen=True, slots=True)
class Wanted:
    """One thing to bring here, and the field of the manifest that names it."""

    field: str
    uri: str
    kind: Kind

    @property
    def missing(self) -> type[TrainjobsError]:
        """What it is called when it is not there."""
        return InvalidData if self.kind == "dataset" else ModelNotFound


@dataclass(frozen=True, slots=True)
class Fetched:
    """Local paths of what was fetched."""

    model: Path
    tokenizer: Path
    train: Path
    eval: Path | None
    test: Path | None


class Fetch:
    """Fetches in the background; `result` waits for the last of it."""

    def __init__(self, recipe: Recipe, options: Options, settings: StorageSettings, status: Status) -> None:
        self._recipe = recipe
        self._options = options
        self._settings = settings
        self._status = status
        self._lock = threading.Lock()
        self._sizes: dict[str, tuple[int, int]] = {}
        self._started = time.monotonic()
        wanted = wanted_inputs(recipe)
        far = dict.fromkeys(one.uri for one in wanted if one.uri.startswith(("hf://", "s3://")))
        if far:
            status.wait_for(f"the download of {', '.join(far)}")
        self._pool = ThreadPoolExecutor(max_workers=len(wanted), thread_name_prefix="fetch")
        # One URI named twice (a model and its tokenizer) is fetched once.
        self._paths: dict[str, Future[Path]] = {}
        for one in wanted:
            if one.uri not in self._paths:
                self._paths[one.uri] = self._pool.submit(self._fetch, one)

    def done(self) -> bool:
        """Whether everything is here or has failed."""
        return all(future.done() for future in self._paths.values())

    def failed(self) -> bool:
        """Whether something cannot be had."""
        return any(future.done() and future.exception() is not None for future in self._paths.values())

    def result(self) -> Fetched:
        """Return where everything lies.

        Raises:
            ModelNotFound, InvalidData, AccessDenied, StorageUnavailable: the first thing that failed, named.
        """
        for future in self._paths.values():
            if future.done() and (error := future.exception()) is not None:
                raise error
        model, data = self._recipe.model, self._recipe.dataset
        fetched = Fetched(
            model=self._path(model.uri),
            tokenizer=self._path(model.tokenizer_uri or model.uri),
            train=self._path(data.train),
            eval=self._path(data.eval) if data.eval else None,
            test=self._path(data.test) if data.test else None,
        )
        self._status.download_seconds += time.monotonic() - self._started
        self._pool.shutdown()
        return fetched

    def abandon(self) -> None:
        """Start nothing new; what is under way ends with the program."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _path(self, uri: str) -> Path:
        return self._paths[uri].result()

    def _fetch(self, one: Wanted) -> Path:
        try:
            return self._bring(one)
        except TrainjobsError as error:
            raise type(error)(f"{one.field}: {error}") from error

    def _bring(self, one: Wanted) -> Path:
        scheme = parse_uri(one.uri).scheme
        if scheme is Scheme.OBJECTS:
            return fetch_objects(
                one.uri, self._options.cache, self._settings, one.missing, self._progress_of(one.uri)
            )
        if scheme is Scheme.HUB:
            return fetch_from_hub(one.uri, one.kind, one.missing)
        path = local_path(one.uri, self._options.pvc_root, self._options.config_map_root)
        if not path.exists():
            raise one.missing(f"{path} does not exist ({one.uri}){typed_as_it_is(one.uri)}")
        if one.kind != "dataset" and not path.is_dir():
            raise ModelNotFound(f"{path} is a file; a model is a folder with config.json and its weights")
        return path

    def _progress_of(self, uri: str) -> Callable[[int, int], None]:
        def progress(done: int, total: int) -> None:
            with self._lock:
                self._status.download_bytes += done - self._sizes.get(uri, (0, 0))[0]
                self._sizes[uri] = (done, total)
                sizes = tuple(self._sizes.values())
            self._status.fetched(sum(size[0] for size in sizes), sum(size[1] for size in sizes))

        return progress


def wanted_inputs(recipe: Recipe) -> tuple[Wanted, ...]:
    """Return what a recipe names of base model and data."""
    named = (*sources(recipe.model, "spec.baseModel"), *sources(recipe.dataset, "spec.dataset"))
    return tuple(Wanted(one.field, one.uri, _KINDS.get(one.names.kind, "dataset")) for one in named)


_KINDS: Mapping[str, Kind] = {"Model": "model", "Tokenizer": "tokenizer"}
