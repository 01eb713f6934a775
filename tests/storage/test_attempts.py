"""Attempts of a run in storage: claimed once, fenced, and resumed from the right checkpoint."""

from pathlib import Path

import pytest

from tests.harness import attempts
from tests.storage.stored_run import FILES, MakeFolder, begin, keys, read
from trainjobs.core.checkpoints.layout import CheckpointRef
from trainjobs.core.checkpoints.resume import Resume, ResumeFrom
from trainjobs.core.checkpoints.resumption import ExternalCheckpoint
from trainjobs.core.checkpoints.retention import Retention
from trainjobs.errors import Fenced
from trainjobs.storage.checkpoints import CheckpointStore
from trainjobs.storage.complete import fetch_folder
from trainjobs.storage.store import Store


def test_an_attempt_is_claimed_once(run: CheckpointStore):
    first = begin(run, 1)
    claim = run.attempts.claim_of(1)
    assert claim is not None
    assert claim.token == (1, "job-1", "pod-1")
    assert run.attempts.resumption_of(1) == first
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
    run.save(make_folder(FILES), step=110, attempt=2)
    folder = run.store.at("checkpoints/step-00000900-a0001")
    for name, data in FILES.items():
        folder.put(name, data)
    folder.put("MANIFEST.json", late.to_json())
    assert list(run.complete()) == [CheckpointRef(100, 1), CheckpointRef(110, 2)]
    assert begin(run, 3).resume == CheckpointRef(110, 2)
    assert run.prune(Retention(2), attempt=3) == ()
    run.save(make_folder(FILES), step=120, attempt=3)
    assert CheckpointRef(900, 1) in run.prune(Retention(2), attempt=3)


def test_the_next_attempt_resumes_from_the_newest_step(run: CheckpointStore, make_folder: MakeFolder):
    assert begin(run, 1).resume is None
    for step in (200, 100):
        run.save(make_folder({"x": b"1"}), step=step, attempt=1)
    assert begin(run, 2).resume == CheckpointRef(200, 1)
    run.save(make_folder({"x": b"2"}), step=200, attempt=2)
    run.save(make_folder({"x": b"2"}), step=300, attempt=2)
    assert begin(run, 4).resume == CheckpointRef(300, 2)
    assert run.newest_attempt() == 4
    assert attempts.begin(run, 5, "j", "p", Resume.NEVER).resume is None


def test_a_checkpoint_of_another_run_is_a_start_until_the_run_has_its_own(
    run: CheckpointStore, store: Store, make_folder: MakeFolder, tmp_path: Path
):
    other = CheckpointStore(store.at("ml/RewardModelRun/other-11111111"))
    begin(other, 1)
    other.save(make_folder(FILES), step=50, attempt=1)
    policy = ResumeFrom(other.store.at("checkpoints/step-00000050-a0001").uri)
    assert attempts.begin(run, 1, "j", "p", policy).resume == ExternalCheckpoint(policy.uri)
    assert fetch_folder(other.store.at("checkpoints/step-00000050-a0001"), tmp_path / "back").step == 50
    assert read(tmp_path / "back") == FILES
    run.save(make_folder(FILES), step=10, attempt=1)
    assert attempts.begin(run, 2, "j", "p", policy).resume == CheckpointRef(10, 1)


def test_a_damaged_claim_loses_nothing(run: CheckpointStore, make_folder: MakeFolder, disk: Path):
    begin(run, 1)
    run.save(make_folder({"x": b"1"}), step=5, attempt=1)
    begin(run, 2)
    (disk / "attempts/0002.json").write_bytes(b"{")
    assert begin(run, 3).resume == CheckpointRef(5, 1)
    assert [damage.file for damage in run.verify()] == ["attempts/0002.json"]
