"""Agents above the library's own training: stopped, killed, gone on with, and brought to its end."""

import json
from pathlib import Path

import pytest
import yaml

from tests.agent.launching import Bench, impostors, wait_until
from tests.agent.status_server import receiver
from tests.training.tiny import make_bert, make_recipe, make_rows
from trainjobs.core.outputs import DONE, MODEL, REPORT_HTML, REPORT_MARKDOWN, STATS
from trainjobs.core.uris import file_uri
from trainjobs.storage.checkpoints import CheckpointStore
from trainjobs.storage.opening import open_store


@pytest.fixture(scope="module")
def parts(tmp_path_factory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("parts")
    return make_bert(folder / "base"), make_rows(folder / "rows.jsonl", 200)


@pytest.fixture
def bench(tmp_path, parts) -> Bench:
    base, rows = parts
    made = yaml.safe_load(make_recipe(tmp_path / "made", base, rows).read_text())
    made.pop("inputs")
    bench = Bench(tmp_path, command=[])
    made |= {"store": bench.store, "command": [], "model": {"uri": file_uri(base)}}
    made["dataset"] = {**made["dataset"], "train": file_uri(rows)}
    made["checkpoints"] = {"saveEverySteps": 5, "keepLatest": 2}
    bench.recipe = made
    return bench


def stored(bench) -> CheckpointStore:
    return CheckpointStore(open_store(bench.store))


def test_a_run_is_trained_evaluated_and_reported_whatever_lies_in_the_working_directory(bench):
    bench.folder = impostors(bench.root / "here", "json", "random", "torch", "trainjobs", "transformers")
    with receiver() as status:
        finished = bench.run(f"--status-url={status.url}", "--heartbeat-seconds=0.2")
    assert finished.code == 0, finished.output
    outcome = finished.record.outcome
    assert outcome.step == outcome.total_steps > 0
    stored(bench).get_artifact("model", bench.root / "home" / MODEL)
    assert (bench.root / "home" / MODEL / "model.safetensors").stat().st_size > 0
    stored(bench).get_artifact("report", bench.root / "home" / "report")
    there = {path.name for path in (bench.root / "home" / "report").iterdir()}
    assert {REPORT_HTML, REPORT_MARKDOWN, STATS} <= there
    assert DONE not in there
    assert outcome.metrics.latest
    assert status.beats[-1].progress.step == outcome.step
    assert stored(bench).verify() == ()


def test_a_run_saves_when_asked_to_and_a_stopped_one_goes_on_from_there(bench):
    # No checkpoint is ever due, and no validation, whose best is kept: what is stored was asked for.
    never = 100_000
    bench.recipe["training"] = {**bench.recipe["training"], "epochs": 2000.0, "evalEverySteps": never}
    bench.recipe["checkpoints"] = {"saveEverySteps": never}
    with receiver() as status, bench.agent(f"--status-url={status.url}", "--heartbeat-seconds=0.2") as agent:
        wait_until(lambda: bool(status.beats) and status.beats[-1].stage == "Training")
        assert not stored(bench).complete()
        status.directive = "Checkpoint"
        wait_until(lambda: bool(stored(bench).complete()))
        status.directive = "Continue"
        agent.terminate()
        output = agent.communicate(timeout=120)[0].decode()
    assert agent.returncode == 143, output
    saved = max(stored(bench).complete()).step
    assert bench.record().message.startswith(f"stopped on request; saved at step {saved} ")
    bench.recipe["training"] = {**bench.recipe["training"], "epochs": None, "maxSteps": saved + 5}
    resumed = bench.run(attempt=2)
    assert resumed.code == 0, resumed.output
    stats = json.loads((bench.workspace() / "output" / STATS).read_text())
    assert stats["resumedFromStep"] == saved


def test_rows_that_are_wrong_are_told_in_the_trainings_own_words(bench):
    rows = bench.root / "wrong.jsonl"
    rows.write_text('{"text": "good", "scores": {"accuracy": 99, "depth": 1}}\n' * 20)
    bench.recipe["dataset"] = {**bench.recipe["dataset"], "train": file_uri(rows)}
    finished = bench.run()
    assert finished.code == 11, finished.output
    assert "wrong.jsonl" in finished.record.message
    assert "line 1" in finished.record.message
    assert finished.record.advice
