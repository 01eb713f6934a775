"""Which attempt may write, and where training goes on: real agents on one storage."""

import json
import time

from tests.agent.launching import Bench, wait_until
from tests.harness import attempts
from tests.harness.versitygw import free_port
from trainjobs.core.checkpoints.layout import CheckpointRef
from trainjobs.storage.checkpoints import CheckpointStore
from trainjobs.storage.opening import open_store


def stored(bench: Bench) -> CheckpointStore:
    return CheckpointStore(open_store(bench.store))


def claim(bench: Bench, attempt: int, pod: str = "another-pod") -> None:
    attempts.claim(stored(bench), attempt, f"job-{attempt}", pod)


def test_an_agent_that_was_replaced_stops_training_and_writes_no_more(bench):
    bench.command += ["--steps=4000"]
    with bench.agent() as agent:
        wait_until(lambda: bool(stored(bench).complete()))
        claim(bench, 2)
        output = agent.communicate(timeout=120)[0].decode()
    assert agent.returncode == 34, output
    assert "attempt 2 has taken over" in bench.record().message
    there = {info.key for info in stored(bench).store.list()}
    time.sleep(0.5)
    assert {info.key for info in stored(bench).store.list()} == there
    assert stored(bench).result() is None


def test_an_attempt_that_another_pod_claimed_is_refused(bench):
    claim(bench, 1)
    finished = bench.run()
    assert finished.code == 34
    assert "attempt 1 is claimed already by job job-1, pod another-pod" in finished.record.message
    assert "saved step" not in finished.output


def test_an_attempt_that_is_older_than_the_newest_claim_is_refused(bench):
    claim(bench, 3)
    finished = bench.run(attempt=2)
    assert finished.code == 34
    assert "attempt 3 has taken over" in finished.record.message


def test_the_same_pod_may_ask_again(bench):
    claim(bench, 1, "pod-1-0")
    assert bench.run().code == 0


def test_a_checkpoint_with_a_flipped_bit_is_passed_over_for_the_one_before_it(bench):
    bench.command += ["--fail-at=12"]
    assert bench.run().code == 23
    assert sorted(stored(bench).complete()) == [CheckpointRef(5, 1), CheckpointRef(10, 1)]
    weights = bench.root / "store" / CheckpointRef(10, 1).folder / "weights.bin"
    weights.write_bytes(b"v" + weights.read_bytes()[1:])
    bench.command = bench.command[:1]
    resumed = bench.run(attempt=2)
    assert resumed.code == 0, resumed.output
    assert "weights.bin" in resumed.output
    assert "checkpoint step-00000010-a0001 is damaged and passed over" in resumed.output
    assert "resumed at step 5" in resumed.output


def test_resume_never_starts_from_the_beginning(bench):
    bench.command += ["--fail-at=12"]
    bench.run()
    bench.command = bench.command[:1]
    bench.checkpoints = {"resume": {"type": "Never"}}
    again = bench.run(attempt=2)
    assert again.code == 0
    assert "resumed at" not in again.output


def test_a_run_may_start_from_another_runs_checkpoint(bench, tmp_path):
    other = Bench(tmp_path / "other")
    other.command += ["--fail-at=12"]
    other.run()
    source = f"{other.store}/{CheckpointRef(10, 1).folder}"
    bench.checkpoints = {"resume": {"type": "From", "uri": source}}
    started = bench.run()
    assert started.code == 0, started.output
    assert "resumed at step 10" in started.output


def test_a_checkpoint_that_is_no_good_is_refused_for_good(bench, tmp_path):
    other = Bench(tmp_path / "other")
    other.command += ["--fail-at=12"]
    other.run()
    folder = tmp_path / "other" / "store" / CheckpointRef(10, 1).folder
    (folder / "weights.bin").write_bytes(b"v")
    for uri, words in (
        (f"file://{tmp_path}/nothing", "nothing is there; give the folder of a checkpoint"),
        (f"file://{folder}", f"{folder}/weights.bin: has 1 bytes instead of"),
    ):
        bench.checkpoints = {"resume": {"type": "From", "uri": uri}}
        finished = bench.run()
        assert finished.code == 10, finished.output
        assert finished.record.message.startswith(f"spec.checkpoints.resume.uri: {uri}"), finished.record
        assert words in finished.record.message


def test_a_checkpoint_of_another_run_that_comes_damaged_is_given_up_when_another_attempt_reads_the_same(
    bench, tmp_path
):
    other = Bench(tmp_path / "other")
    other.command += ["--fail-at=12"]
    other.run()
    ref = CheckpointRef(10, 1)
    weights = tmp_path / "other" / "store" / ref.folder / "weights.bin"
    whole = weights.read_bytes()
    bench.checkpoints = {"resume": {"type": "From", "uri": f"{other.store}/{ref.folder}"}}
    # Two machines that damage what they read, each in its own way; then one that reads as the second did.
    for attempt, first in ((1, b"x"), (2, b"y")):
        weights.write_bytes(first + whole[1:])
        failed = bench.run(attempt=attempt)
        assert (failed.code, failed.record.reason) == (33, "CorruptCheckpoint"), failed.output
        assert f"{weights}: checksum is" in failed.record.message
        assert failed.record.message.endswith("the next attempt reads it again")
    given_up = bench.run(attempt=3)
    assert given_up.code == 10, given_up.output
    assert "it was read twice like this: name another checkpoint" in given_up.record.message
    weights.write_bytes(whole)
    assert "resumed at step 10" in bench.run(attempt=4).output


def test_the_attempt_that_finishes_a_run_deletes_what_others_had_delivered(bench, tmp_path):
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "weights.bin").write_bytes(b"w")
    claim(bench, 1)
    stored(bench).put_artifact("model", tmp_path / "weights", step=20, attempt=1)
    finished = bench.run(attempt=2)
    assert finished.code == 0, finished.output
    there = {path.name for path in (bench.root / "store" / "artifacts").iterdir()}
    assert "model-a0002" in there
    assert all(name.endswith("-a0002") for name in there)
    assert "artifacts/model-a0001 is deleted: the run's result names another" in finished.output


def test_the_disk_holds_only_what_is_still_needed(bench):
    bench.command += ["--steps=60", "--step-seconds=0.1"]
    bench.checkpoints = {"keepLatest": 2, "keepBest": {"count": 1, "metric": "eval_loss"}}
    assert bench.run().code == 0
    complete = stored(bench).complete()
    assert max(complete).step == 60
    assert len(complete) <= 3
    assert stored(bench).verify() == ()


def test_where_no_checkpoint_comes_back_whole_the_attempt_ends_and_another_goes_on(bench):
    bench.command += ["--fail-at=12"]
    assert bench.run().code == 23
    whole = {}
    for ref in stored(bench).complete():
        weights = bench.root / "store" / ref.folder / "weights.bin"
        whole[weights] = weights.read_bytes()
        weights.write_bytes(b"v" + whole[weights][1:])
    bench.command = bench.command[:1]
    failed = bench.run(attempt=2)
    assert (failed.code, failed.record.reason) == (33, "CorruptCheckpoint"), failed.output
    assert "none of the 2 checkpoint(s) comes back whole on this machine" in failed.record.message
    assert "saved step" not in failed.output
    # The disk of that machine was at fault: on the next one all is as it was.
    for weights, data in whole.items():
        weights.write_bytes(data)
    resumed = bench.run(attempt=3)
    assert resumed.code == 0, resumed.output
    assert "resumed at step 10" in resumed.output


def test_what_another_node_cannot_read_is_not_chosen_again(bench, tmp_path):
    run = stored(bench)
    shard = "global_step5/zero_pp_rank_{}_mp_rank_00_optim_states.pt"
    attempts.begin(run, 1, "job-1", "pod-1-0")
    for step in (5, 10):
        folders = [tmp_path / f"{step}-{node}" for node in range(2)]
        for node, folder in enumerate(folders):
            (folder / "global_step5").mkdir(parents=True)
            (folder / shard.format(node)).write_bytes(b"node %d" % node)
        (folders[0] / "trainer_state.json").write_text(json.dumps({"global_step": step}))
        ref = CheckpointRef(step, 1)
        part = run.parts.save(ref, 1, folders[1])
        run.commit(ref, run.upload(ref, folders[0]), parts={1: part})
    damaged = bench.root / "store" / CheckpointRef(10, 1).folder / "parts/0001" / shard.format(1)
    damaged.write_bytes(b"edon 1")

    bench.nodes = 2
    bench.recipe = {"processes": {"nodes": 2, "perNode": 1, "strategy": {"type": "DeepSpeed"}}}
    meeting = f"--master-port={free_port('127.0.0.1')}"
    with bench.agent(meeting, attempt=2) as leader, bench.agent(meeting, attempt=2, node_rank=1) as other:
        said = other.communicate(timeout=120)[0].decode()
        assert other.returncode == 33, said
        # Its job would be deleted now.
        leader.terminate()
        leader.communicate(timeout=120)
    assert run.attempts.resumption_of(2).resume == CheckpointRef(10, 1)
    assert "the part of checkpoint step-00000010-a0001 that node 1 reads is damaged" in said
    attempts.claim(run, 3, "job-3", "pod-3-0")
    with bench.agent(meeting, attempt=3) as leader, bench.agent(meeting, attempt=3, node_rank=1):
        wait_until(lambda: run.attempts.resumption_of(3) is not None)
        leader.terminate()
        leader.communicate(timeout=120)
    assert run.attempts.resumption_of(3).resume == CheckpointRef(5, 1)
    assert len(run.complete()) == 2, "what one machine could not read is kept"
