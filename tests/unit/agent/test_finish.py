"""What a finished training leaves, on its way to a real folder."""

import time
from pathlib import Path

from tests.harness.attempts import begin
from tests.unit.agent.test_sync import RECIPE
from trainjobs.agent.finish import Delivery, delete_others
from trainjobs.agent.status import Status
from trainjobs.agent.stop import StopRequests
from trainjobs.api.status import Artifacts
from trainjobs.core.checkpoints.layout import RESULT
from trainjobs.core.outputs import Done
from trainjobs.core.reports import Outcome
from trainjobs.core.uris import file_uri
from trainjobs.storage.checkpoints import CheckpointStore
from trainjobs.storage.opening import open_store


def deliver(root: Path, store: CheckpointStore, attempt: int) -> Outcome:
    model = root / f"output-{attempt}" / "model"
    model.mkdir(parents=True)
    (model / "weights").write_bytes(b"%d" % attempt)
    delivery = Delivery(
        store,
        Status(RECIPE, attempt=attempt, node_rank=0),
        StopRequests(),
        attempt=attempt,
        workspace=root / "workspace",
        deadline=time.monotonic(),
    )
    return delivery.deliver(model.parent, Done(step=attempt, total_steps=9), model_required=True)


def test_a_result_names_the_artifacts_of_its_attempt(tmp_path: Path) -> None:
    store = CheckpointStore(open_store(file_uri(tmp_path / "stored")))
    begin(store, 3, "job", "pod")
    outcome = deliver(tmp_path, store, 3)
    assert outcome.artifacts.model == "file:///s/artifacts/model-a0003"
    assert store.artifacts() == {"model": "artifacts/model-a0003"}


def test_a_result_that_is_there_first_is_the_runs(tmp_path: Path) -> None:
    store = CheckpointStore(open_store(file_uri(tmp_path / "stored")))
    begin(store, 1, "job", "pod")
    begin(store, 2, "job-2", "pod-2")
    # Attempt 1 had asked who owns the run, slept, and wakes before attempt 2 has written its result.
    first = Outcome(step=1, total_steps=9, artifacts=Artifacts(model="file:///s/artifacts/model-a0001"))
    store.store.create(RESULT, first.model_dump_json(by_alias=True).encode())
    assert deliver(tmp_path, store, 2) == first
    assert (tmp_path / "stored" / "artifacts/model-a0002/weights").read_bytes() == b"2"


def test_what_replaced_attempts_left_is_deleted_once_a_result_names_another(tmp_path: Path) -> None:
    store = CheckpointStore(open_store(file_uri(tmp_path / "stored")))
    begin(store, 1, "job", "pod")
    store.put_artifact("model", _folder(tmp_path / "early"), step=1, attempt=1)
    begin(store, 2, "job-2", "pod-2")
    delete_others(store)
    assert _artifacts(tmp_path) == {"model-a0001"}
    deliver(tmp_path, store, 2)
    # Half of what a third had begun to store when the second one had its result.
    store.store.put("artifacts/report-a0003/report.html", b"half")
    delete_others(store)
    assert _artifacts(tmp_path) == {"model-a0002"}
    assert store.verify() == ()


def test_what_a_result_names_in_words_of_a_newer_version_is_kept(tmp_path: Path) -> None:
    store = CheckpointStore(open_store(file_uri(tmp_path / "stored")))
    for name in ("model", "draft", "report"):
        store.put_artifact(name, _folder(tmp_path / name), step=1, attempt=1)
    named = b'{"artifacts": {"model": "s3://x/artifacts/model-a0001", "more": ["artifacts/draft-a0001"]}}'
    store.store.create(RESULT, named)
    delete_others(store)
    assert _artifacts(tmp_path) == {"model-a0001", "draft-a0001"}


def test_nothing_is_deleted_where_the_result_cannot_be_read(tmp_path: Path) -> None:
    store = CheckpointStore(open_store(file_uri(tmp_path / "stored")))
    store.put_artifact("model", _folder(tmp_path / "model"), step=1, attempt=1)
    store.store.create(RESULT, b"{")
    delete_others(store)
    assert _artifacts(tmp_path) == {"model-a0001"}


def _folder(path: Path) -> Path:
    path.mkdir()
    (path / "weights").write_bytes(b"w")
    return path


def _artifacts(root: Path) -> set[str]:
    return {path.name for path in (root / "stored" / "artifacts").iterdir()}
