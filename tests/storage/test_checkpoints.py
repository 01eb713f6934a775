"""Checkpoints of a run in real storage: manifest last, fenced by attempt, proved by checksum."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from trainjobs.core.checkpoints.claim import ExternalCheckpoint
from trainjobs.core.checkpoints.layout import CheckpointRef
from trainjobs.core.checkpoints.resume import Resume, ResumeFrom
from trainjobs.core.checkpoints.retention import Best, Direction, Retention
from trainjobs.errors import CorruptCheckpoint, Fenced, InvalidData, InvalidRecipe
from trainjobs.storage.checkpoints import CheckpointStore
from trainjobs.storage.complete import fetch_folder
from trainjobs.storage.settings import MIB
from trainjobs.storage.store import AlreadyExists, Store

MakeFolder = Callable[[dict[str, bytes]], Path]
FILES = {
    "model.safetensors": os.urandom(6 * MIB),
    "trainer_state.json": b"{}",
    "rng/rng_state_0.pth": b"\1" * 99,
}


@pytest.fixture
def run(store: Store) -> CheckpointStore:
    """The stored part of one run, empty."""
    return CheckpointStore(store.at("ml/RewardModelRun/ratings-1a2b3c4d"))


@pytest.fixture
def disk(where) -> Path:
    """Where the run's objects really lie."""
    return where.folder / "ml/RewardModelRun/ratings-1a2b3c4d"


def begin(run: CheckpointStore, attempt: int, pod: str = "pod"):
    return run.begin(attempt, f"job-{attempt}", f"{pod}-{attempt}", Resume.AUTO)


def read(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


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


def keys(run: CheckpointStore) -> set[str]:
    return {info.key for info in run.store.list()}


def test_a_checkpoint_whose_manifest_is_missing_does_not_exist(
    run: CheckpointStore, make_folder: MakeFolder, disk: Path, tmp_path: Path
):
    begin(run, 1)
    for step in (100, 200):
        run.save(make_folder(FILES), step=step, attempt=1)
    (disk / "checkpoints/step-00000200-a0001/MANIFEST.json").unlink()
    assert list(run.complete()) == [CheckpointRef(100, 1)]
    assert begin(run, 2).resume == CheckpointRef(100, 1)
    with pytest.raises(CorruptCheckpoint, match=r"step-00000200-a0001/MANIFEST.json: not found"):
        run.restore(CheckpointRef(200, 1), tmp_path / "back")
    (damage,) = run.verify()
    assert (damage.folder, damage.file) == ("checkpoints/step-00000200-a0001", "MANIFEST.json")


def test_a_checkpoint_whose_manifest_is_cut_short_does_not_exist(
    run: CheckpointStore, make_folder: MakeFolder, disk: Path
):
    begin(run, 1)
    run.save(make_folder(FILES), step=100, attempt=1)
    manifest = disk / "checkpoints/step-00000100-a0001/MANIFEST.json"
    manifest.write_bytes(manifest.read_bytes()[:-20])
    assert run.complete() == {}
    assert "not JSON" in run.verify()[0].problem


def test_the_manifest_of_another_checkpoint_makes_none(
    run: CheckpointStore, make_folder: MakeFolder, disk: Path
):
    begin(run, 1)
    run.save(make_folder(FILES), step=100, attempt=1)
    (disk / "checkpoints/step-00000100-a0001").rename(disk / "checkpoints/step-00000900-a0001")
    assert run.complete() == {}


def test_a_flipped_bit_is_refused_with_the_files_name(
    run: CheckpointStore, make_folder: MakeFolder, disk: Path, tmp_path: Path
):
    begin(run, 1)
    run.save(make_folder(FILES), step=100, attempt=1)
    assert run.verify() == ()
    with open(disk / "checkpoints/step-00000100-a0001/model.safetensors", "r+b") as file:
        file.seek(4_000_000)
        byte = file.read(1)[0]
        file.seek(4_000_000)
        file.write(bytes([byte ^ 0b100]))
    with pytest.raises(CorruptCheckpoint, match=r"step-00000100-a0001/model\.safetensors: checksum is "):
        run.restore(CheckpointRef(100, 1), tmp_path / "back")
    assert not (tmp_path / "back" / "model.safetensors").exists()
    (damage,) = run.verify()
    assert (damage.file, damage.problem) == ("model.safetensors", "has a wrong checksum")


def test_a_flipped_bit_in_a_manifest_is_found(run: CheckpointStore, make_folder: MakeFolder, disk: Path):
    begin(run, 1)
    run.save(make_folder(FILES), step=100, attempt=1, metrics={"eval_loss": 0.25})
    manifest = disk / "checkpoints/step-00000100-a0001/MANIFEST.json"
    manifest.write_bytes(manifest.read_bytes().replace(b"0.25", b"0.15"))
    assert run.complete() == {}
    assert "digest does not match" in run.verify()[0].problem


def test_a_file_that_is_gone_is_named(
    run: CheckpointStore, make_folder: MakeFolder, disk: Path, tmp_path: Path
):
    begin(run, 1)
    run.save(make_folder(FILES), step=100, attempt=1)
    (disk / "checkpoints/step-00000100-a0001/rng/rng_state_0.pth").unlink()
    with pytest.raises(
        CorruptCheckpoint, match=r"rng/rng_state_0\.pth: named by the manifest, but not there"
    ):
        run.restore(CheckpointRef(100, 1), tmp_path / "back")
    assert [d.file for d in run.verify()] == ["rng/rng_state_0.pth"]


def test_a_manifest_that_names_a_path_outside_is_refused_before_a_byte_is_written(
    run: CheckpointStore, make_folder: MakeFolder, disk: Path, tmp_path: Path
):
    from trainjobs.core.checkpoints.manifest import _digest

    begin(run, 1)
    run.save(make_folder(FILES), step=100, attempt=1)
    manifest = disk / "checkpoints/step-00000100-a0001/MANIFEST.json"
    body = json.loads(manifest.read_bytes())
    body["files"][0]["path"] = "../../escaped"
    body["digest"] = _digest({k: v for k, v in body.items() if k != "digest"})
    manifest.write_text(json.dumps(body))
    with pytest.raises(CorruptCheckpoint, match=r"'\.\./\.\./escaped'"):
        run.restore(CheckpointRef(100, 1), tmp_path / "a" / "b")
    assert not (tmp_path / "a").exists()
    assert not (tmp_path / "escaped").exists()


def test_a_link_in_the_target_does_not_lead_out_of_it(
    run: CheckpointStore, make_folder: MakeFolder, tmp_path: Path
):
    begin(run, 1)
    run.save(make_folder(FILES), step=100, attempt=1)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "back").mkdir()
    (tmp_path / "back" / "rng").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InvalidRecipe, match="a link leads out of"):
        run.restore(CheckpointRef(100, 1), tmp_path / "back")
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_an_attempt_is_claimed_once(run: CheckpointStore):
    first = begin(run, 1)
    assert run.attempts.claim_of(1) == first
    with pytest.raises(Fenced, match=r"attempt 1 is claimed already by job job-1, pod pod-1"):
        begin(run, 1, pod="other")


def test_the_owner_who_lost_the_answer_gets_the_same_claim(run: CheckpointStore, make_folder: MakeFolder):
    first = begin(run, 1)
    run.save(make_folder(FILES), step=100, attempt=1)
    assert begin(run, 1) == first


def test_a_late_writer_of_an_older_attempt_is_refused(run: CheckpointStore, make_folder: MakeFolder):
    begin(run, 1)
    begin(run, 2)
    folder = make_folder(FILES)
    before = keys(run)
    with pytest.raises(Fenced, match="attempt 2 has taken over; attempt 1 must not write"):
        run.save(folder, step=100, attempt=1)
    for write in (
        lambda: run.prune(Retention(1), attempt=1),
        lambda: run.put_artifact("model", folder, step=100, attempt=1),
        lambda: run.finish(b"{}", attempt=1),
        lambda: run.put_recipe(b"", attempt=1),
        lambda: begin(run, 1, pod="again"),
    ):
        with pytest.raises(Fenced):
            write()
    assert keys(run) == before


def test_an_attempt_that_is_replaced_while_it_uploads_writes_no_manifest(
    run: CheckpointStore, make_folder: MakeFolder, monkeypatch
):
    begin(run, 1)
    original = type(run.store).put_file

    def put_file(store, key, path):
        if key == "trainer_state.json":
            begin(CheckpointStore(run.store), 2)
        return original(store, key, path)

    monkeypatch.setattr(type(run.store), "put_file", put_file)
    with pytest.raises(Fenced, match="attempt 2 has taken over"):
        run.save(make_folder(FILES), step=100, attempt=1)
    assert run.complete() == {}
    assert not any(key.endswith("MANIFEST.json") for key in keys(run))


def test_what_an_older_attempt_wrote_after_it_was_replaced_is_never_resumed_from(
    run: CheckpointStore, make_folder: MakeFolder
):
    begin(run, 1)
    run.save(make_folder(FILES), step=100, attempt=1)
    # The write that slips through between the last question and the manifest.
    late = run.save(make_folder(FILES), step=900, attempt=1)
    run._delete(CheckpointRef(900, 1))
    begin(run, 2)
    folder = run.store.at("checkpoints/step-00000900-a0001")
    for name, data in FILES.items():
        folder.put(name, data)
    folder.put("MANIFEST.json", late.to_json())
    assert list(run.complete()) == [CheckpointRef(100, 1)]
    assert begin(run, 3).resume == CheckpointRef(100, 1)
    assert CheckpointRef(900, 1) in run.prune(Retention(5), attempt=3)


def test_the_next_attempt_resumes_from_the_newest_step(run: CheckpointStore, make_folder: MakeFolder):
    assert begin(run, 1).resume is None
    for step in (200, 100):
        run.save(make_folder({"x": b"1"}), step=step, attempt=1)
    assert begin(run, 2).resume == CheckpointRef(200, 1)
    run.save(make_folder({"x": b"2"}), step=200, attempt=2)
    run.save(make_folder({"x": b"2"}), step=300, attempt=2)
    assert begin(run, 4).resume == CheckpointRef(300, 2)
    assert run.newest_attempt() == 4
    assert run.begin(5, "j", "p", Resume.NEVER).resume is None


def test_a_checkpoint_of_another_run_is_a_start_until_the_run_has_its_own(
    run: CheckpointStore, store: Store, make_folder: MakeFolder, tmp_path: Path
):
    other = CheckpointStore(store.at("ml/RewardModelRun/other-11111111"))
    begin(other, 1)
    other.save(make_folder(FILES), step=50, attempt=1)
    policy = ResumeFrom(other.store.at("checkpoints/step-00000050-a0001").uri)
    assert run.begin(1, "j", "p", policy).resume == ExternalCheckpoint(policy.uri)
    assert fetch_folder(other.store.at("checkpoints/step-00000050-a0001"), tmp_path / "back").step == 50
    assert read(tmp_path / "back") == FILES
    run.save(make_folder(FILES), step=10, attempt=1)
    assert run.begin(2, "j", "p", policy).resume == CheckpointRef(10, 1)


def test_retention_keeps_the_newest_the_best_and_what_is_resumed_from(
    run: CheckpointStore, make_folder: MakeFolder
):
    begin(run, 1)
    losses = {10: 0.9, 20: 0.1, 30: 0.8, 40: 0.7}
    for step, loss in losses.items():
        run.save(make_folder({"x": b"1"}), step=step, attempt=1, metrics={"eval_loss": loss})
    assert begin(run, 2).resume == CheckpointRef(40, 1)
    for step in (50, 60, 70):
        run.save(make_folder({"x": b"1"}), step=step, attempt=2, metrics={"eval_loss": 1.0})
    gone = run.prune(Retention(2, Best(1, "eval_loss", Direction.MINIMIZE)), attempt=2)
    assert gone == (CheckpointRef(10, 1), CheckpointRef(30, 1), CheckpointRef(50, 2))
    assert [ref.step for ref in run.complete()] == [20, 40, 60, 70]
    assert not any("step-00000010" in key for key in keys(run))


def test_retention_clears_what_older_attempts_left_unfinished(run: CheckpointStore, make_folder: MakeFolder):
    begin(run, 1)
    run.save(make_folder({"x": b"1"}), step=1, attempt=1)
    run.store.put("checkpoints/step-00000002-a0001/x", b"unfinished")
    begin(run, 2)
    run.store.put("checkpoints/step-00000003-a0002/x", b"being uploaded now")
    assert run.prune(Retention(1), attempt=2) == (CheckpointRef(2, 1),)
    assert "checkpoints/step-00000003-a0002/x" in keys(run)


def test_a_deletion_removes_the_manifest_first(run: CheckpointStore, make_folder: MakeFolder, monkeypatch):
    begin(run, 1)
    for step in (1, 2):
        run.save(make_folder(FILES), step=step, attempt=1)

    def cut_off(store, folder):
        raise ConnectionError("cut off")

    monkeypatch.setattr(type(run.store), "delete_folder", cut_off)
    with pytest.raises(ConnectionError):
        run.prune(Retention(1), attempt=1)
    assert list(run.complete()) == [CheckpointRef(2, 1)]
    assert "checkpoints/step-00000001-a0001/model.safetensors" in keys(run)


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
    assert keys(run) == {"attempts/0001.json"}


def test_the_result_is_written_once(run: CheckpointStore):
    begin(run, 1)
    assert run.result() is None
    run.finish(b'{"outcome": "Succeeded"}', attempt=1)
    run.finish(b'{"outcome": "Succeeded"}', attempt=1)
    with pytest.raises(AlreadyExists):
        run.finish(b'{"outcome": "Failed"}', attempt=1)
    assert run.result() == b'{"outcome": "Succeeded"}'


def test_an_artifact_replaces_the_one_before(run: CheckpointStore, make_folder: MakeFolder, tmp_path: Path):
    begin(run, 1)
    run.put_artifact("model", make_folder(FILES), step=1, attempt=1)
    run.put_artifact(
        "model", make_folder({"model.safetensors": b"new"}), step=2, attempt=1, metrics={"mse": 0.5}
    )
    assert run.get_artifact("model", tmp_path / "model").step == 2
    assert read(tmp_path / "model") == {"model.safetensors": b"new"}
    assert run.artifacts() == ("model",)
    assert run.verify() == ()
    with pytest.raises(InvalidRecipe, match="artifact name"):
        run.put_artifact("../model", make_folder(FILES), step=1, attempt=1)


def test_a_damaged_claim_loses_nothing(run: CheckpointStore, make_folder: MakeFolder, disk: Path):
    begin(run, 1)
    run.save(make_folder({"x": b"1"}), step=5, attempt=1)
    begin(run, 2)
    (disk / "attempts/0002.json").write_bytes(b"{")
    assert begin(run, 3).resume == CheckpointRef(5, 1)
    assert [damage.file for damage in run.verify()] == ["attempts/0002.json"]
