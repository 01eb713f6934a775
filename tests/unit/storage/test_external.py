"""What a manifest names to go on from: a checkpoint of ours, or what it is instead."""

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from trainjobs.core.checkpoints.layout import MANIFEST
from trainjobs.core.checkpoints.manifest import FileEntry, Manifest
from trainjobs.core.uris import file_uri
from trainjobs.errors import CorruptCheckpoint, InvalidRecipe
from trainjobs.storage.external import require_checkpoint
from trainjobs.storage.opening import open_to_read


def _manifest(*names: str) -> bytes:
    files = tuple(FileEntry(name, 1, "0" * 64) for name in names)
    return Manifest(files, 1, 10, datetime(2026, 3, 2, tzinfo=UTC)).to_json()


def _folder(tmp_path: Path, names: Iterable[str]) -> Path:
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    return tmp_path


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ((), "nothing is there; give the folder of a checkpoint, with its MANIFEST.json"),
        (
            ("trainer_state.json", "model.safetensors"),
            r"Hugging Face or another program \(model.safetensors\)",
        ),
        (("config.json", "pytorch_model.bin"), r"not one of trainjobs.*spec.baseModel.uri"),
        (
            ("checkpoints/step-00000010-a0001/MANIFEST.json", "recipe.yaml"),
            "is the folder of a run; name one of its checkpoints, as in "
            "file:///.*/checkpoints/step-00000010-a0001$",
        ),
        (("notes.txt",), "holds no checkpoint of trainjobs: it has no MANIFEST.json"),
    ],
)
def test_what_is_no_checkpoint_is_called_what_it_is(tmp_path: Path, names: tuple[str, ...], words: str):
    store = open_to_read(file_uri(_folder(tmp_path, names)))
    with pytest.raises(InvalidRecipe, match=words):
        require_checkpoint(store, of_own_training=True)


def test_a_damaged_manifest_may_be_whole_for_another_reader(tmp_path: Path):
    (tmp_path / MANIFEST).write_bytes(_manifest("trainer_state.json").replace(b'"step": 10', b'"step": 11'))
    with pytest.raises(CorruptCheckpoint, match=r"digest does not match \([0-9a-f]{16}…\)"):
        require_checkpoint(open_to_read(file_uri(tmp_path)), of_own_training=True)


@pytest.mark.parametrize(("left", "words"), [(None, "is gone"), ("xx", "has 2 bytes instead of 1")])
def test_what_storage_itself_has_lost_is_no_better_the_next_time(
    tmp_path: Path, left: str | None, words: str
):
    _folder(tmp_path, ["trainer_state.json"])
    if left is not None:
        (tmp_path / "weights").write_text(left)
    (tmp_path / MANIFEST).write_bytes(_manifest("trainer_state.json", "weights"))
    with pytest.raises(InvalidRecipe, match=rf"/weights: {words}; name another checkpoint"):
        require_checkpoint(open_to_read(file_uri(tmp_path)), of_own_training=True)


def test_a_model_is_told_from_a_checkpoint_unless_a_script_knows_better(tmp_path: Path):
    (_folder(tmp_path, ["model.safetensors"]) / MANIFEST).write_bytes(_manifest("model.safetensors"))
    store = open_to_read(file_uri(tmp_path))
    assert require_checkpoint(store, of_own_training=False).step == 10
    with pytest.raises(InvalidRecipe, match="holds a model, without the state that training goes on from"):
        require_checkpoint(store, of_own_training=True)


def test_a_checkpoint_of_ours_is_one(tmp_path: Path):
    names = ("trainer_state.json", "model.safetensors")
    (_folder(tmp_path, names) / MANIFEST).write_bytes(_manifest(*names))
    assert require_checkpoint(open_to_read(file_uri(tmp_path)), of_own_training=True).step == 10
