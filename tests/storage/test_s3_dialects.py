"""A run's life in stores that call themselves S3: what one lacks is done without, or else said."""

from pathlib import Path

import pytest

from tests.harness import s3_dialects as dialects
from tests.harness.attempts import begin
from tests.harness.s3_in_memory import Deviation, S3InMemory
from trainjobs.core.checkpoints.layout import CheckpointRef
from trainjobs.core.checkpoints.retention import Retention
from trainjobs.errors import AccessDenied, InvalidData, InvalidRecipe
from trainjobs.storage.checkpoints import CheckpointStore


def live(server: S3InMemory, tmp_path: Path) -> CheckpointStore:
    """A run's life in storage: two attempts, checkpoints that come and go, an artifact twice, a result."""
    run = CheckpointStore(server.open("s3://b/runs/tiny"))
    source = tmp_path / "source"
    source.mkdir()
    (source / "weights").write_bytes(b"w" * 100)
    (source / "empty").touch()
    for attempt in (1, 2):
        begin(run, attempt, "job", "pod")
        for step in (1, 2):
            run.save(source, step=10 * attempt + step, attempt=attempt)
            run.prune(Retention(keep_latest=1, best=None), attempt=attempt)
        run.put_artifact("model", source, step=12, attempt=attempt)
    run.finish(b"{}", attempt=2)
    return run


STORES: dict[str, tuple[Deviation, ...]] = {
    "AWS": (dialects.wants_region("us-east-1"), dialects.deletes_with_md5_only),
    "MinIO": (dialects.deletes_with_md5_only,),
    "Ceph": (),
    "R2": (dialects.knows_regions(dialects.R2_REGIONS), dialects.knows_no_checksum),
}


@pytest.mark.parametrize("name", STORES)
def test_a_run_lives_in_a_store_that_knows_conditions(server: S3InMemory, name: str, tmp_path: Path):
    server.deviations = STORES[name]
    run = live(server, tmp_path)
    assert list(run.complete()) == [CheckpointRef(12, 1), CheckpointRef(22, 2)]
    assert run.verify() == ()
    assert run.result() == b"{}"
    run.store.delete_folder("")
    assert server.objects.buckets["b"] == {}


def test_a_store_that_deletes_singly_and_only_what_is_there_loses_nothing(server: S3InMemory):
    server.deviations = (dialects.deletes_singly,)
    server.misses_what_it_deletes = True
    store = server.open("s3://b/runs")
    for number in range(30):
        store.put(f"a/{number}", b"1")
    store.delete(["never", "a/0", "a/29"])
    assert len(list(store.list("a"))) == 28
    store.delete_folder("a")
    assert list(store.list()) == []


def test_a_store_that_ignores_conditions_is_noticed_before_a_second_owner_can_be(server: S3InMemory):
    server.ignores_conditions = True
    run = CheckpointStore(server.open("s3://b/runs/tiny"))
    with pytest.raises(InvalidRecipe) as caught:
        begin(run, 1, "job", "pod")
    line = str(caught.value)
    assert "s3://b/runs/tiny: this store does not heed If-None-Match" in line
    assert "attempts/0001.json" in line
    assert "spec.checkpoints.storage" in line


def test_a_store_that_refuses_conditions_is_told_from_one_that_is_away(server: S3InMemory):
    server.deviations = (dialects.knows_no_condition, dialects.knows_no_checksum)
    run = CheckpointStore(server.open("s3://b/runs/tiny"))
    before = len(server.asked)
    with pytest.raises(InvalidRecipe) as caught:
        begin(run, 1, "job", "pod")
    line = str(caught.value)
    assert "501 NotImplemented: A header you provided implies functionality that is not implemented" in line
    assert "needs a store with conditional writes (If-None-Match)" in line
    puts = [request for request in server.asked[before:] if request.method == "PUT"]
    assert len(puts) <= 4


def test_without_the_right_to_delete_an_artifact_is_replaced_all_the_same(server: S3InMemory, tmp_path: Path):
    server.deviations = (dialects.may_not_delete,)
    run = CheckpointStore(server.open("s3://b/runs/tiny"))
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "weights").write_bytes(b"old")
    begin(run, 1, "job", "pod")
    run.put_artifact("model", tmp_path / "model", step=1, attempt=1)
    with pytest.raises(InvalidData):
        run.put_artifact("model", tmp_path / "nothing", step=2, attempt=1)
    assert not run.artifacts()
    (tmp_path / "model" / "weights").write_bytes(b"newer")
    run.put_artifact("model", tmp_path / "model", step=2, attempt=1)
    assert run.get_artifact("model", tmp_path / "back").step == 2
    assert (tmp_path / "back" / "weights").read_bytes() == b"newer"


def test_a_denied_deletion_is_access_denied_whatever_the_store_would_say_of_several(server: S3InMemory):
    store = server.open("s3://b/runs")
    store.put("a/1", b"1")
    store.put("a/2", b"1")
    server.deviations = (dialects.may_not_delete,)
    with pytest.raises(AccessDenied, match="is not authorized to perform: s3:DeleteObject"):
        store.delete_folder("a")
