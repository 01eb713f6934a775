"""How a training ends, and what the agent makes of it: real processes, each with its exit code and record."""

import gzip
import json
import os
import signal
from pathlib import Path

import psutil
import pytest

from tests.agent.launching import Bench, wait_until
from tests.agent.status_server import receiver
from trainjobs.core.checkpoints.layout import CheckpointRef, log_key
from trainjobs.core.reports import Outcome
from trainjobs.storage.checkpoints import CheckpointStore
from trainjobs.storage.opening import open_store


def stored(bench: Bench) -> CheckpointStore:
    return CheckpointStore(open_store(bench.store))


def with_flags(bench: Bench, *flags: str) -> None:
    bench.command = [bench.command[0], *flags]


def test_a_training_that_ends_leaves_model_and_result_in_storage(bench):
    finished = bench.run()
    assert finished.code == 0, finished.output
    record = finished.record
    assert record.reason == "Succeeded"
    assert record.outcome is not None
    assert (record.outcome.step, record.outcome.total_steps) == (20, 20)
    assert record.outcome.checkpoints.latest is not None
    assert record.outcome.checkpoints.latest.step == 20
    assert record.outcome.artifacts.model == f"{bench.store}/artifacts/model-a0001"
    store = stored(bench)
    assert store.verify() == ()
    store.get_artifact("model", bench.root / "taken-home")
    assert json.loads((bench.root / "taken-home" / "config.json").read_text())["weight"] > 2
    assert Outcome.model_validate_json(store.result() or b"") == record.outcome
    assert "saved step 20" in (bench.workspace() / "node.log").read_text()


def test_a_finished_run_is_not_trained_again(bench):
    first = bench.run()
    again = bench.run(attempt=2)
    assert again.code == 0, again.output
    assert again.record.outcome == first.record.outcome
    assert "saved step" not in again.output
    assert stored(bench).newest_attempt() == 1


def test_a_crash_is_told_by_its_exception_and_resumed_from_the_newest_checkpoint(bench):
    with_flags(bench, "--fail-at=13")
    crashed = bench.run()
    assert crashed.code == 23, crashed.output
    assert crashed.record.reason == "TrainingError"
    assert crashed.record.message == "RuntimeError: the gradient went for a walk"
    assert "about to fail" in crashed.record.last_lines
    log = gzip.decompress(stored(bench).store.get(log_key(1, 0))).decode()
    assert "about to fail" in log
    assert log.splitlines()[-1].endswith("TrainingError: RuntimeError: the gradient went for a walk")
    assert max(stored(bench).complete()) == CheckpointRef(10, 1)
    with_flags(bench)
    resumed = bench.run(attempt=2)
    assert resumed.code == 0, resumed.output
    assert "resumed at step 10" in resumed.output
    resumption = stored(bench).attempts.resumption_of(2)
    assert resumption is not None
    assert resumption.resume == CheckpointRef(10, 1)


@pytest.mark.parametrize(
    ("how", "code", "reason", "words"),
    [
        ("sigkill", 23, "TrainingError", "SIGKILL"),
        ("exit", 23, "TrainingError", "exit code 7"),
        ("cuda", 21, "AcceleratorOutOfMemory", "CUDA out of memory"),
        ("memory", 137, "HostOutOfMemory", "MemoryError"),
    ],
)
def test_an_end_is_classified(bench, how, code, reason, words):
    with_flags(bench, "--fail-at=3", f"--how={how}")
    finished = bench.run()
    assert (finished.code, finished.record.reason) == (code, reason), finished.output
    assert finished.record.exit_code == code
    assert words in finished.record.message


def test_a_full_disk_is_told_with_its_folder(bench):
    # The device that is always full.
    (bench.root / "fills.py").write_text("open('/dev/full', 'w').write('x' * 100_000)\n")
    bench.command = [str(bench.root / "fills.py")]
    finished = bench.run()
    assert (finished.code, finished.record.reason) == (35, "DiskFull"), finished.output
    assert f"{bench.workspace()}/output: no space left on the disk" in finished.record.message


def test_a_training_that_stands_still_is_killed_and_its_stacks_are_kept(bench):
    with_flags(bench, "--fail-at=7", "--how=hang")
    bench.limits = {"hangTimeoutSeconds": 6}
    finished = bench.run()
    assert (finished.code, finished.record.reason) == (22, "Hang"), finished.output
    assert finished.record.message == "no step within 6 s after step 7 (spec.runPolicy.hangTimeoutSeconds)"
    assert "fail (" in finished.output or "in fail" in finished.output
    assert max(stored(bench).complete()).step == 5


def test_without_ptrace_the_stacks_come_from_the_process_itself(bench):
    with_flags(bench, "--fail-at=3", "--how=hang")
    bench.limits = {"hangTimeoutSeconds": 6}
    # A program that cannot read the process, as py-spy in a pod without ptrace.
    bench.environment = {"TRAINJOBS_PY_SPY": "/bin/false"}
    finished = bench.run()
    assert finished.code == 22
    assert "Fatal Python error: Aborted" in finished.output
    assert "in fail" in finished.output


def test_a_script_that_never_starts_to_step_counts_against_the_start_timeout(bench):
    (bench.root / "sleeps.py").write_text("import time\ntime.sleep(3600)\n")
    bench.command = [str(bench.root / "sleeps.py")]
    bench.limits = {"startTimeoutSeconds": 2}
    finished = bench.run()
    assert finished.code == 22
    assert "no first step within 2 s (spec.runPolicy.startTimeoutSeconds)" in finished.record.message


def test_sigterm_saves_and_the_next_attempt_goes_on_from_there(bench):
    with_flags(bench, "--steps=20000", "--save-every=10000")
    with receiver() as status, bench.agent(f"--status-url={status.url}", "--heartbeat-seconds=0.2") as agent:
        wait_until(lambda: any(beat.progress and beat.progress.step > 0 for beat in status.beats))
        agent.terminate()
        output = agent.communicate(timeout=120)[0].decode()
    assert agent.returncode == 143, output
    record = bench.record()
    saved = max(stored(bench).complete())
    assert record.reason == "Preempted"
    assert record.message.startswith(f"stopped on request; saved at step {saved.step} (file://")
    assert 0 < saved.step < 10000
    assert stored(bench).result() is None
    log = gzip.decompress(stored(bench).store.get(log_key(1, 0))).decode()
    assert "asked to stop: training saves and ends, within 60 s" in log
    assert f"saved step {saved.step}" in log
    assert log.splitlines()[-1].endswith(f"Preempted: {record.message}")
    with_flags(bench, f"--steps={saved.step + 5}")
    assert f"resumed at step {saved.step}" in bench.run(attempt=2).output


@pytest.mark.parametrize("again", [True, False])
def test_a_script_that_ignores_sigterm_is_killed_by_a_second_one_or_when_the_grace_ends(bench, again):
    with_flags(bench, "--steps=2000", "--ignore-sigterm")
    # Of an hour's grace, nobody here sees the end.
    bench.limits = {"graceSeconds": 3600 if again else 3}
    with bench.agent() as agent:
        wait_until(lambda: bool(stored(bench).complete()))
        agent.terminate()
        if again:
            # Two signals that nobody has looked at yet are one.
            assert any(b"asked to stop" in line for line in agent.stdout)
            agent.terminate()
        agent.communicate(timeout=120)
    assert agent.returncode == 143
    assert "saved at step" in bench.record().message


def test_no_training_outlives_a_killed_agent(bench):
    with_flags(bench, "--steps=2000", "--ignore-sigterm")
    with bench.agent() as agent:
        wait_until(lambda: bool(stored(bench).complete()))
        children = psutil.Process(agent.pid).children(recursive=True)
        assert any("trains.py" in " ".join(child.cmdline()) for child in children)
        agent.kill()
        agent.wait()
        wait_until(lambda: not any(alive(child) for child in children))


def alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def memory_cgroup() -> Path | None:
    """A place for a memory cgroup of our own, where this machine lets us make one (v1)."""
    place = Path("/sys/fs/cgroup/memory")
    return place if os.access(place, os.W_OK) and (place / "memory.limit_in_bytes").exists() else None


@pytest.mark.skipif(memory_cgroup() is None, reason="needs root and a cgroup v1 memory controller")
def test_the_kernel_killing_for_memory_is_seen_by_the_cgroups_counter(bench):
    with_flags(bench, "--fail-at=3", "--how=kernel-memory")
    group = memory_cgroup() / f"trainjobs-test-{os.getpid()}"
    group.mkdir()
    try:
        (group / "memory.limit_in_bytes").write_text(str(256 << 20))
        # The limit of swap counts memory too: without it the hog would only be slow.
        swap = group / "memory.memsw.limit_in_bytes"
        if swap.exists():
            swap.write_text(str(256 << 20))
        with bench.agent() as agent:
            (group / "cgroup.procs").write_text(str(agent.pid))
            agent.communicate(timeout=120)
    finally:
        wait_until(lambda: not (group / "cgroup.procs").read_text().strip())
        group.rmdir()
    assert bench.record().reason == "HostOutOfMemory"
    assert agent.returncode == 137
    assert "for lack of memory" in bench.record().message


def test_a_pod_that_may_not_write_the_termination_log_still_exits_with_its_code(bench):
    with_flags(bench, "--fail-at=2")
    with bench.agent(f"--termination-log={bench.root}/no/such/folder/log") as agent:
        output = agent.communicate(timeout=120)[0].decode()
    assert agent.returncode == 23
    assert "while writing the final record" in output


def test_the_log_is_json_where_asked_for(bench):
    finished = bench.run("--log-format=json")
    ours = [json.loads(line) for line in finished.output.splitlines() if line.startswith("{")]
    assert any(line["message"].startswith("artifact model is in storage") for line in ours)
    assert {line["level"] for line in ours} == {"info"}


def test_sigint_is_a_wish_to_stop_too(bench):
    with_flags(bench, "--steps=2000")
    with bench.agent() as agent:
        wait_until(lambda: bool(stored(bench).complete()))
        agent.send_signal(signal.SIGINT)
        agent.communicate(timeout=120)
    assert agent.returncode == 143
