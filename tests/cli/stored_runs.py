"""A run in storage, in a folder and on a real S3 server."""

from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest
import yaml

from tests.harness.attempts import begin
from tests.harness.versitygw import S3Server
from trainjobs.api.runs import RewardModelRun
from trainjobs.core.recipe.resolve import resolve
from trainjobs.core.settings import Settings
from trainjobs.core.uris import file_uri
from trainjobs.storage.checkpoints import CheckpointStore
from trainjobs.storage.opening import open_store

UID = "1a2b3c4d-5e6f-4a1b-8c2d-3e4f5a6b7c8d"


@dataclass
class Place:
    """A run in storage, and where its bytes really lie."""

    uri: str
    folder: Path
    store: CheckpointStore

    def flip(self, key: str) -> None:
        path = self.folder / key
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)


@pytest.fixture(params=["file", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """A run with three checkpoints of two attempts, and a model."""
    if request.param == "file":
        folder = tmp_path / "stored" / "ml" / "RewardModelRun" / "ratings-1a2b3c4d"
        uri = file_uri(folder)
    else:
        server: S3Server = request.getfixturevalue("s3_environment")
        bucket = f"b-{uuid4().hex[:12]}"
        uri = f"{server.make_bucket(bucket)}/runs/ml/RewardModelRun/ratings-1a2b3c4d"
        folder = server.folder / bucket / "runs/ml/RewardModelRun/ratings-1a2b3c4d"
    store = CheckpointStore(open_store(uri))
    fill(store, tmp_path / "source")
    return Place(uri, folder, store)


def fill(store: CheckpointStore, source: Path) -> None:
    source.mkdir()
    begin(store, 1, "job-1", "pod-1")
    recipe = resolve(rating_run(), Settings(run_store=store.store.uri))
    store.put_recipe(yaml.safe_dump(recipe.model_dump(mode="json", by_alias=True)).encode(), attempt=1)
    for step, pearson in ((100, 0.5), (200, 0.9)):
        (source / "weights.bin").write_bytes(bytes([step % 251]) * 5000)
        store.save(source, step=step, attempt=1, metrics={"eval_pearson": pearson, "eval_loss": 0.1})
    begin(store, 2, "job-2", "pod-2")
    store.save(source, step=300, attempt=2, metrics={"eval_pearson": 0.7, "eval_loss": 0.05})
    store.put_artifact("model", source, step=300, attempt=2)
    (source / "weights.bin").rename(source / "report.html")
    store.put_artifact("report", source, step=300, attempt=2)


def rating_run() -> RewardModelRun:
    return RewardModelRun.model_validate(
        {
            "metadata": {"name": "ratings", "namespace": "ml", "uid": UID},
            "spec": {
                "baseModel": {"uri": "file:///models/base"},
                "dataset": {"train": "file:///data/train.jsonl"},
                "objective": {"type": "Regression", "regression": {"dimensions": [{"name": "sentiment"}]}},
                "checkpoints": {
                    "keepLatest": 1,
                    "keepBest": {"metric": "eval_pearson"},
                },
            },
        }
    )
