"""Which checkpoints stay in storage, and how the others go."""

import pytest

from tests.storage.stored_run import FILES, MakeFolder, begin, keys
from trainjobs.core.checkpoints.layout import CheckpointRef
from trainjobs.core.checkpoints.retention import Best, Retention
from trainjobs.storage.checkpoints import CheckpointStore


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
    gone = run.prune(Retention(2, Best(1, "eval_loss", "Lower")), attempt=2)
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
