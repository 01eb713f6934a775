"""Checkpoints, artifacts and results of a run in real storage: whole, and the manifest last."""

import json
from pathlib import Path

import pytest

from tests.storage.stored_run import FILES, MakeFolder, begin, keys, read
from trainjobs.core.checkpoints.layout import CheckpointRef
from trainjobs.errors import CorruptCheckpoint, InvalidData, InvalidRecipe
from trainjobs.storage.attempts import Attempts
from trainjobs.storage.checkpoints import CheckpointStore
from trainjobs.storage.store import AlreadyExists


def test_a_saved_checkpoint_comes_back_bit_by_bit(
    run: CheckpointStore, make_folder: MakeFolder, tmp_path: Path
):
    begin(run, 1)
    saved = run.save(make_folder(FILES), step=100, attempt=1, metrics={"eval_loss": 0.5, "odd": float("nan")})
    restored = run.restore(CheckpointRef(100, 1), tmp_path / "back")
    assert read(tmp_path / "back") == FILES
    assert restored.to_json() == saved.to_json()
    assert saved.size == sum(map(len, FILES.values()))


def test_the_manifest_is_written_last(run: CheckpointStore, make_folder: MakeFolder, monkeypatch):
    begin(run, 1)
    written = []
    original = type(run.store).put
    monkeypatch.setattr(
        type(run.store), "put", lambda s, k, d: (written.append((k, keys(run))), original(s, k, d))
    )
    run.save(make_folder(FILES), step=7, attempt=1)
    ((key, before),) = written
    assert key == "checkpoints/step-00000007-a0001/MANIFEST.json"
    assert before >= {f"checkpoints/step-00000007-a0001/{name}" for name in FILES}


def test_a_download_that_was_cut_off_fetches_only_what_is_missing(
    run: CheckpointStore, make_folder: MakeFolder, tmp_path: Path, monkeypatch
):
    begin(run, 1)
    run.save(make_folder(FILES), step=1, attempt=1)
    run.restore(CheckpointRef(1, 1), tmp_path / "back")
    (tmp_path / "back" / "trainer_state.json").unlink()
    (tmp_path / "back" / "rng" / "rng_state_0.pth").write_bytes(b"\2" * 99)
    fetched = []
    original = type(run.store).get_file
    monkeypatch.setattr(
        type(run.store), "get_file", lambda s, k, p, e=None: (fetched.append(k), original(s, k, p, e))[1]
    )
    run.restore(CheckpointRef(1, 1), tmp_path / "back")
    assert sorted(fetched) == ["rng/rng_state_0.pth", "trainer_state.json"]
    assert read(tmp_path / "back") == FILES


def test_saving_twice_leaves_the_complete_checkpoint_as_it_is(run: CheckpointStore, make_folder: MakeFolder):
    begin(run, 1)
    first = run.save(make_folder({"x": b"1"}), step=1, attempt=1)
    assert run.save(make_folder({"x": b"2"}), step=1, attempt=1).to_json() == first.to_json()


@pytest.mark.parametrize(
    ("files", "error", "message"),
    [
        ({}, InvalidData, "no files to store"),
        ({"MANIFEST.json": b"{}"}, InvalidRecipe, "the name MANIFEST.json is kept for the manifest"),
        ({"a\\b": b""}, InvalidRecipe, "backslashes"),
    ],
)
def test_a_folder_that_cannot_be_a_checkpoint_is_refused(
    run: CheckpointStore, make_folder: MakeFolder, files, error, message
):
    begin(run, 1)
    with pytest.raises(error, match=message):
        run.save(make_folder(files), step=1, attempt=1)
    assert keys(run) == {"attempts/0001.json", "attempts/0001.resume.json"}


def test_the_result_is_written_once(run: CheckpointStore):
    begin(run, 1)
    assert run.result() is None
    run.finish(b'{"outcome": "Succeeded"}', attempt=1)
    run.finish(b'{"outcome": "Succeeded"}', attempt=1)
    with pytest.raises(AlreadyExists):
        run.finish(b'{"outcome": "Failed"}', attempt=1)
    assert run.result() == b'{"outcome": "Succeeded"}'


class AskedLongAgo(Attempts):
    """Of an attempt that asked who owns the run, was told that it does, and slept."""

    def require_newest(self, attempt: int) -> None:
        pass


def result_of(run: CheckpointStore, *artifacts: str) -> bytes:
    return json.dumps(
        {"artifacts": {name.partition("-")[0]: f"{run.store.uri}/artifacts/{name}" for name in artifacts}}
    ).encode()


def test_an_attempt_that_thaws_after_the_next_has_succeeded_changes_nothing_that_anyone_reads(
    run: CheckpointStore, make_folder: MakeFolder, tmp_path: Path
):
    begin(run, 1)
    run.put_artifact("report", make_folder({"report.html": b"old"}), step=1, attempt=1)
    frozen = CheckpointStore(run.store)
    frozen.attempts = AskedLongAgo(run.store)
    begin(run, 2)
    run.put_artifact("model", make_folder({"x": b"new"}), step=2, attempt=2)
    run.finish(result_of(run, "model-a0002"), attempt=2)
    frozen.put_artifact("model", make_folder({"x": b"old"}), step=1, attempt=1)
    with pytest.raises(AlreadyExists):
        frozen.finish(result_of(run, "model-a0001", "report-a0001"), attempt=1)
    assert run.artifacts() == {"model": "artifacts/model-a0002"}
    run.get_artifact("model", tmp_path / "home")
    assert read(tmp_path / "home") == {"x": b"new"}
    with pytest.raises(CorruptCheckpoint, match="has no artifact report"):
        run.get_artifact("report", tmp_path / "report")


def test_while_a_run_has_no_result_its_artifacts_are_those_of_the_newest_attempt(
    run: CheckpointStore, make_folder: MakeFolder
):
    begin(run, 1)
    run.put_artifact("model", make_folder({"x": b"1"}), step=1, attempt=1)
    assert run.artifacts() == {"model": "artifacts/model-a0001"}
    begin(run, 2)
    assert run.artifacts() == {}
    run.put_artifact("report", make_folder({"x": b"2"}), step=1, attempt=2)
    assert run.artifacts() == {"report": "artifacts/report-a0002"}


def test_a_result_names_artifacts_wherever_the_run_lies_now(run: CheckpointStore, make_folder: MakeFolder):
    begin(run, 1)
    run.put_artifact("model", make_folder({"x": b"1"}), step=1, attempt=1)
    run.finish(
        b'{"artifacts": {"model": "pvc://claim/run/artifacts/model-a0001", "report": null}}', attempt=1
    )
    assert run.artifacts() == {"model": "artifacts/model-a0001"}


def test_a_damaged_result_is_named_by_whoever_asks_for_artifacts(run: CheckpointStore):
    run.store.put("result.json", b"{")
    with pytest.raises(CorruptCheckpoint, match=r"result\.json: not JSON"):
        run.artifacts()
    assert [damage.file for damage in run.verify()] == ["result.json"]


def test_an_artifact_replaces_the_one_before(run: CheckpointStore, make_folder: MakeFolder, tmp_path: Path):
    begin(run, 1)
    run.put_artifact("model", make_folder(FILES), step=1, attempt=1)
    run.put_artifact(
        "model", make_folder({"model.safetensors": b"new"}), step=2, attempt=1, metrics={"mse": 0.5}
    )
    assert run.get_artifact("model", tmp_path / "model").step == 2
    assert read(tmp_path / "model") == {"model.safetensors": b"new"}
    assert run.artifacts() == {"model": "artifacts/model-a0001"}
    assert run.verify() == ()
    with pytest.raises(InvalidRecipe, match="artifact name"):
        run.put_artifact("../model", make_folder(FILES), step=1, attempt=1)
