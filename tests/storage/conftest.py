"""Every behaviour of storage is shown on a folder and on a real S3 server."""

from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from tests.harness.s3_in_memory import S3InMemory, s3_in_memory
from tests.harness.versitygw import (  # noqa: F401
    REGION,
    S3Server,
    pytest_collection_finish,
    s3,
    s3_environment,
)
from trainjobs.core.uris import file_uri
from trainjobs.storage.checkpoints import CheckpointStore
from trainjobs.storage.opening import open_store
from trainjobs.storage.settings import MIB, StorageSettings
from trainjobs.storage.store import Store


@pytest.fixture(params=["file", "s3"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> "Where":
    """An empty place of one kind, and how its bytes can be reached behind the store's back."""
    if request.param == "file":
        folder = tmp_path / "stored"
        return Where(file_uri(folder), folder, StorageSettings(part_bytes=5 * MIB, memory_bytes=20 * MIB))
    server: S3Server = request.getfixturevalue("s3_environment")
    bucket = f"b-{uuid4().hex[:12]}"
    uri = server.make_bucket(bucket)
    settings = StorageSettings(
        endpoint=server.endpoint, region=REGION, part_bytes=5 * MIB, memory_bytes=20 * MIB, retry_seconds=20
    )
    return Where(f"{uri}/runs", server.folder / bucket / "runs", settings)


class Where:
    """A storage URI, and the folder in which its objects really lie."""

    def __init__(self, uri: str, folder: Path, settings: StorageSettings) -> None:
        self.uri = uri
        self.folder = folder
        self.settings = settings

    def open(self) -> Store:
        """Open it anew, as another program would."""
        return open_store(self.uri, settings=self.settings)


@pytest.fixture
def store(where: Where) -> Store:
    """An empty store of either kind."""
    return where.open()


@pytest.fixture
def run(store: Store) -> CheckpointStore:
    """The stored part of one run, empty."""
    return CheckpointStore(store.at("ml/RewardModelRun/ratings-1a2b3c4d"))


@pytest.fixture
def disk(where) -> Path:
    """Where the run's objects really lie."""
    return where.folder / "ml/RewardModelRun/ratings-1a2b3c4d"


@pytest.fixture
def make_folder(tmp_path: Path) -> Callable[[dict[str, bytes]], Path]:
    """Return a function that writes a folder of files and returns its path."""

    def make(files: dict[str, bytes]) -> Path:
        folder = tmp_path / f"source-{uuid4().hex[:8]}"
        for name, data in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        return folder

    return make


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[S3InMemory]:
    """A store that can be made to answer as others do, with one bucket, `b`; this process is signed in."""
    with s3_in_memory() as running:
        for name, value in running.environment.items():
            monkeypatch.setenv(name, value)
        running.make_bucket("b")
        yield running
