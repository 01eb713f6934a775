"""Runs in stores that are not quite S3: real agents, and a server that answers as those do."""

from collections.abc import Iterator

import pytest

from tests.agent.launching import Bench
from tests.harness import s3_dialects as dialects
from tests.harness.s3_in_memory import S3InMemory, s3_in_memory
from trainjobs.core.checkpoints.layout import CheckpointRef
from trainjobs.storage.checkpoints import CheckpointStore


@pytest.fixture
def server(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3InMemory]:
    """A store with the bucket `bkt`, for the run; this process and the agents it starts are signed in."""
    with s3_in_memory() as running:
        for name, value in running.environment.items():
            monkeypatch.setenv(name, value)
        bench.store = f"{running.make_bucket('bkt')}/runs/tiny"
        yield running


def test_without_the_right_to_delete_a_run_keeps_everything_and_ends_well(bench: Bench, server: S3InMemory):
    server.deviations = (dialects.may_not_delete,)
    bench.checkpoints = {"keepLatest": 1, "keepBest": {"count": 1, "metric": "loss"}}
    # Time enough between two checkpoints: the first is in storage before the second replaces it.
    bench.command += ["--steps=10", "--step-seconds=0.6"]
    finished = bench.run()
    assert finished.code == 0, finished.output
    assert finished.output.count("old checkpoints are not deleted") == 1
    assert "is not authorized to perform: s3:DeleteObject" in finished.output
    run = CheckpointStore(server.open(bench.store))
    assert set(run.complete()) == {CheckpointRef(5, 1), CheckpointRef(10, 1)}
    assert list(run.artifacts()) == ["model"]
    assert run.verify() == ()


def test_a_store_that_ignores_conditions_ends_the_run_before_it_trains(bench: Bench, server: S3InMemory):
    server.ignores_conditions = True
    finished = bench.run()
    assert (finished.code, finished.record.reason) == (10, "InvalidRecipe")
    assert "does not heed If-None-Match" in finished.record.message
    assert "saved step" not in finished.output


@pytest.mark.parametrize("region", ["redirected", "signed for another"])
def test_a_wrong_region_ends_the_run_with_the_right_one_and_its_field(
    bench: Bench, server: S3InMemory, region: str
):
    wrong = dialects.redirects if region == "redirected" else dialects.wants_region
    server.deviations = (wrong("eu-central-1"),)
    finished = bench.run()
    assert (finished.code, finished.record.reason) == (10, "InvalidRecipe")
    assert "the bucket is in region 'eu-central-1', not 'us-east-1'" in finished.record.message
    assert "spec.checkpoints.storage.region" in finished.record.message


def test_markers_are_no_part_of_a_model_or_of_data(bench: Bench, server: S3InMemory):
    server.objects.buckets["bkt"] |= {
        "models/": b"",
        "models/tiny/": b"",
        "models/tiny/config.json": b"{}",
        "models/tiny/deep/": b"",
        "models/tiny/deep/tokenizer.json": b"{}",
        "models/tiny/empty/": b"",
        "rows": b"",
        "rows/train.jsonl": b"{}\n",
        "runs/": b"",
        "runs/tiny/": b"",
        "runs/tiny/checkpoints/": b"",
        "runs/tiny/artifacts/": b"",
        "runs/tiny/artifacts/model-a0001/": b"",
    }
    bench.recipe = {"model": {"uri": "s3://bkt/models/tiny"}, "dataset": {"train": "s3://bkt/rows/"}}
    finished = bench.run()
    assert finished.code == 0, finished.output
    cache = bench.workspace() / "cache" / "s3"
    files = sorted(
        str(path.relative_to(cache).as_posix()).partition("/")[2]
        for path in cache.rglob("*")
        if path.is_file()
    )
    assert files == ["config.json", "deep/tokenizer.json", "train.jsonl"]
    run = CheckpointStore(server.open(bench.store))
    assert run.verify() == ()


@pytest.mark.parametrize(
    ("objects", "words"),
    [
        ({"rows/a//b.jsonl": b"{}"}, "holds the key 'rows/a//b.jsonl', which cannot be the path of a file"),
        ({"rows/../x.jsonl": b"{}"}, "holds the key 'rows/../x.jsonl'"),
        ({"rows/a": b"{}", "rows/a/b.jsonl": b"{}"}, "'a' is an object, and 'a/b.jsonl' lies below it"),
        ({"rows/a\\b.jsonl": b"{}"}, "backslashes are not allowed"),
    ],
)
def test_objects_that_cannot_be_files_are_refused_by_name(
    bench: Bench, server: S3InMemory, objects: dict[str, bytes], words: str
):
    server.objects.buckets["bkt"] |= objects
    bench.recipe = {"dataset": {"train": "s3://bkt/rows"}}
    finished = bench.run()
    assert finished.code == 10, finished.output
    assert finished.record.message.startswith("spec.dataset.train: ")
    assert words in finished.record.message
