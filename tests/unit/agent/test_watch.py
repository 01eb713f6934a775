import json
from pathlib import Path

from trainjobs.agent.watch import CheckpointWatch
from trainjobs.core.outputs import SAVED_MARK, SavedMark


def folder(output: Path, step: int, *, state: object = None, mark: SavedMark | None = None) -> Path:
    path = output / f"checkpoint-{step}"
    path.mkdir(parents=True)
    (path / "weights").write_bytes(b"w" * 100)
    if state is not None:
        (path / "trainer_state.json").write_text(json.dumps(state))
    if mark is not None:
        (path / SAVED_MARK).write_text(mark.model_dump_json(by_alias=True))
    return path


def test_a_marked_checkpoint_is_whole_at_once_and_named_once(tmp_path):
    watch = CheckpointWatch(tmp_path)
    folder(tmp_path, 10, mark=SavedMark(step=10, epoch=1, metrics={"eval_loss": 0.5}, blocked_seconds=0.25))
    (found,) = watch.poll(0.0)
    assert (found.step, found.metrics, found.blocked_seconds, found.size > 100) == (
        10,
        {"eval_loss": 0.5},
        0.25,
        True,
    )
    assert watch.poll(1.0) == ()


def test_an_unmarked_one_is_whole_when_it_has_been_quiet(tmp_path):
    watch = CheckpointWatch(tmp_path)
    path = folder(tmp_path, 10, state={"global_step": 10})
    assert watch.poll(0.0) == ()
    (path / "rng_state_1.pth").write_bytes(b"late")
    assert watch.poll(0.9) == ()
    assert watch.poll(1.5) == ()
    assert [found.step for found in watch.poll(2.0)] == [10]


def test_without_its_state_it_is_never_whole(tmp_path):
    watch = CheckpointWatch(tmp_path)
    path = folder(tmp_path, 10)
    assert watch.poll(0.0) == ()
    assert watch.poll(9.0, writing=False) == ()
    (path / "trainer_state.json").write_text('{"global_st')
    assert watch.poll(20.0, writing=False) == ()


def test_after_the_end_nothing_changes_any_more(tmp_path):
    watch = CheckpointWatch(tmp_path)
    folder(tmp_path, 20, state={})
    folder(tmp_path, 10, state={})
    assert [found.step for found in watch.poll(0.0, writing=False)] == [10, 20]


def test_figures_of_a_users_checkpoint_are_those_of_its_very_step(tmp_path):
    history = [
        {"step": 5, "eval_loss": 0.1},
        {"step": 10, "loss": 3.0},
        {"step": 10, "eval_loss": 0.2, "eval_note": "text", "epoch": 1.0},
    ]
    folder(tmp_path, 10, state={"log_history": history})
    (found,) = CheckpointWatch(tmp_path).poll(0.0, writing=False)
    assert found.metrics == {"eval_loss": 0.2}


def test_other_names_are_no_checkpoints(tmp_path):
    for name in ("checkpoint-", "checkpoint-best", "checkpoint-7.partial", ".checkpoint-8.partial", "model"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "trainer_state.json").write_text("{}")
    (tmp_path / "checkpoint-9").write_text("a file")
    assert CheckpointWatch(tmp_path).poll(0.0, writing=False) == ()
