"""What is damaged or incomplete in storage: it does not count, or is refused by its name."""

import json
from pathlib import Path

import pytest

from tests.storage.stored_run import FILES, MakeFolder, begin
from trainjobs.core.checkpoints.layout import CheckpointRef
from trainjobs.errors import CorruptCheckpoint, InvalidRecipe
from trainjobs.storage.checkpoints import CheckpointStore


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
