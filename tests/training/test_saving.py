"""A saved state is whole, whatever training and the disk do meanwhile."""

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import TrainerCallback

from tests.harness.small_disk import CannotMount, small_disk, small_files
from tests.training.tiny import make_recipe
from trainjobs.core.outputs import SavedMark
from trainjobs.ml.training.run import TrainerRun
from trainjobs.ml.training.saver import Saver, Snapshot
from trainjobs.ml.training.session import Session
from trainjobs.ml.training.staging import HostCopy


class Overwrite(TrainerCallback):
    """Writes over every weight and every tensor of the optimiser right after a save has returned."""

    def __init__(self) -> None:
        self.expected: dict[str, torch.Tensor] = {}

    def on_save(self, _args, state, control, model=None, optimizer=None, **_):
        if state.global_step != 8:
            return
        self.expected = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        self.moment = next(iter(optimizer.state_dict()["state"].values()))["exp_avg"].clone()
        with torch.no_grad():
            for tensor in model.state_dict().values():
                tensor.fill_(-1)
            for one in optimizer.state_dict()["state"].values():
                one["exp_avg"].fill_(-1)
        control.should_training_stop = True


def test_weights_overwritten_right_after_the_save_are_not_in_the_checkpoint(
    tmp_path: Path, bert: Path, rows: Path
) -> None:
    session = Session.open(make_recipe(tmp_path, bert, rows))
    run = TrainerRun(session)
    overwrite = Overwrite()
    run.train(overwrite)
    saved = load_file(tmp_path / "output" / "checkpoint-8" / "model.safetensors")
    assert saved.keys() == overwrite.expected.keys()
    assert all(torch.equal(saved[name], overwrite.expected[name]) for name in saved)
    optimizer = torch.load(tmp_path / "output" / "checkpoint-8" / "optimizer.pt", weights_only=True)
    assert torch.equal(next(iter(optimizer["state"].values()))["exp_avg"], overwrite.moment)


def test_a_copy_shares_nothing_with_what_it_was_taken_from() -> None:
    source = {"a": [torch.ones(3), {"b": torch.zeros(2)}], "c": 5}
    copy = HostCopy()
    taken = copy.take(source)
    source["a"][0].fill_(9)
    assert torch.equal(taken["a"][0], torch.ones(3))
    assert taken["c"] == 5
    again = copy.take(source)
    assert again["a"][0].data_ptr() == taken["a"][0].data_ptr()
    assert torch.equal(again["a"][0], torch.full((3,), 9.0))


def snapshot(step: int, numbers: int) -> Snapshot:
    return Snapshot(
        step=step,
        weights={"w": torch.full((numbers,), float(step))},
        weights_file="model.safetensors",
        pickles={"optimizer.pt": {"state": torch.zeros(numbers)}},
        texts={"trainer_state.json": "{}"},
        mark=SavedMark(step=step, epoch=1.0),
    )


@contextlib.contextmanager
def scarce(folder: Path, size: int) -> Iterator[Path]:
    """A full disk where one may be mounted, else files that may not grow."""
    try:
        with small_disk(folder, size) as disk:
            yield disk
    except CannotMount:
        folder.mkdir(exist_ok=True)
        with small_files(size):
            yield folder


def test_a_full_disk_costs_the_checkpoint_and_not_the_training(tmp_path: Path) -> None:
    (tmp_path / "constants").mkdir()
    with scarce(tmp_path / "disk", 256 * 1024) as disk:
        saver = Saver(disk, tmp_path / "constants")
        for step, numbers in ((1, 1_000), (2, 100_000), (3, 1_000)):
            saver.write(snapshot(step, numbers))
            saver.wait()
        assert saver.figures.saved == [1, 3]
        assert list(saver.figures.failed) == [2]
        assert sorted(path.name for path in disk.iterdir()) == ["checkpoint-1", "checkpoint-3"]
        assert load_file(disk / "checkpoint-3" / "model.safetensors")["w"][0] == 3.0


def test_an_unforeseen_error_of_the_saving_thread_is_not_lost(tmp_path: Path) -> None:
    (tmp_path / "constants").mkdir()
    saver = Saver(tmp_path, tmp_path / "constants")
    broken = replace(snapshot(1, 10), weights={"w": "no tensor"})
    saver.write(broken)
    with pytest.raises((TypeError, ValueError, AttributeError)):
        saver.wait()
