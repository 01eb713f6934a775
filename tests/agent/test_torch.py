"""Agents above real torch: a user's own Trainer script, and processes that meet through torchrun."""

import socket
import subprocess

import psutil
import pytest

from tests.agent.launching import SCRIPTS, wait_until
from tests.agent.status_server import receiver
from tests.harness.versitygw import free_port
from trainjobs.storage.checkpoints import CheckpointStore
from trainjobs.storage.opening import open_store

TRAINER = [
    str(SCRIPTS / "user_trainer.py"),
    "--output_dir=$(TRAINJOBS_OUTPUT_DIR)",
    "--resume_from_checkpoint=$(TRAINJOBS_RESUME_FROM)",
]


def stored(bench) -> CheckpointStore:
    return CheckpointStore(open_store(bench.store))


def alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except ConnectionRefusedError:
        return False
    return True


def test_a_users_own_trainer_script_reports_is_stored_and_leaves_its_model(bench):
    bench.command = TRAINER
    with receiver() as status:
        finished = bench.run(f"--status-url={status.url}", "--heartbeat-seconds=0.2")
    assert finished.code == 0, finished.output
    outcome = finished.record.outcome
    assert outcome.step == 30
    assert outcome.checkpoints.latest.step == 30
    assert status.beats[-1].progress.total_steps == 30
    assert "loss" in status.beats[-1].metrics.latest
    stored(bench).get_artifact("model", bench.root / "home")
    assert {"config.json", "model.safetensors"} <= {path.name for path in (bench.root / "home").iterdir()}
    assert not list((bench.root / "home").glob("checkpoint*"))


def test_a_users_trainer_that_is_stopped_saves_goes_on_and_is_not_taken_for_done(bench):
    bench.command = [*TRAINER, "--max_steps=100000"]
    with bench.agent() as agent:
        wait_until(lambda: bool(stored(bench).complete()))
        agent.terminate()
        output = agent.communicate(timeout=120)[0].decode()
    # Its process exits 0 after such a stop; that must not count as the end of the run.
    assert agent.returncode == 143, output
    assert stored(bench).result() is None
    saved = max(stored(bench).complete()).step
    assert f"saved at step {saved}" in bench.record().message
    bench.command = [*TRAINER, f"--max_steps={saved + 10}"]
    resumed = bench.run(attempt=2)
    assert resumed.code == 0, resumed.output
    assert resumed.record.outcome.step == saved + 10


def test_two_nodes_of_two_processes_meet_on_one_machine(bench):
    bench.nodes, bench.per_node = 2, 2
    bench.command = [str(SCRIPTS / "ranks.py")]
    port = f"--master-port={free_port()}"
    with bench.agent(port) as first, bench.agent(port, node_rank=1) as second:
        output = first.communicate(timeout=240)[0].decode()
        other = second.communicate(timeout=120)[0].decode()
    assert (first.returncode, second.returncode) == (0, 0), output + other
    lines = sorted(line for line in (output + other).splitlines() if line.startswith("rank "))
    assert lines == [f"rank {rank} of 4: sum 10" for rank in range(4)]
    assert bench.record(0).outcome.artifacts.model
    assert bench.record(1).outcome is None


def test_training_is_launched_on_no_node_before_all_are_there(bench):
    bench.nodes = 2
    bench.command = [str(SCRIPTS / "ranks.py")]
    port = free_port()
    with bench.agent(f"--master-port={port}") as first:
        # It has claimed and fetched, and counts who is there.
        wait_until(lambda: answers(port + 1))
        assert psutil.Process(first.pid).children() == []
        with bench.agent(f"--master-port={port}", node_rank=1) as second:
            output = first.communicate(timeout=240)[0].decode()
            other = second.communicate(timeout=120)[0].decode()
    assert (first.returncode, second.returncode) == (0, 0), output + other


def test_a_node_waits_for_one_that_has_no_machine_longer_than_for_a_first_step(bench):
    bench.nodes = 2
    bench.command = [str(SCRIPTS / "ranks.py")]
    bench.limits = {"startTimeoutSeconds": 1}
    port = f"--master-port={free_port()}"
    with bench.agent(port, node_rank=1) as second:
        with pytest.raises(subprocess.TimeoutExpired):
            second.wait(timeout=6)
        # Node 0 is to be patient with the first step all the same.
        bench.limits = {}
        with bench.agent(port) as first:
            output = first.communicate(timeout=240)[0].decode()
            other = second.communicate(timeout=120)[0].decode()
    assert (first.returncode, second.returncode) == (0, 0), output + other


def test_killing_an_agent_ends_torchrun_and_its_workers(bench):
    bench.per_node = 2
    bench.command = [str(SCRIPTS / "ranks.py"), "--wait"]
    with bench.agent() as agent:
        log = bench.workspace() / "node.log"
        wait_until(lambda: log.exists() and log.read_text().count(": sum 3") == 2)
        processes = psutil.Process(agent.pid).children(recursive=True)
        assert sum("ranks.py" in " ".join(process.cmdline()) for process in processes) >= 3
        agent.kill()
        agent.wait()
        wait_until(lambda: not any(alive(process) for process in processes))


def test_a_worker_that_fails_under_torchrun_is_told_by_its_own_exception(bench):
    bench.per_node = 2
    script = bench.root / "fails.py"
    script.write_text("import os\nif os.environ['RANK'] == '1':\n    raise KeyError('no such dimension')\n")
    bench.command = [str(script)]
    finished = bench.run()
    assert finished.code == 23, finished.output
    assert finished.record.message == "KeyError: 'no such dimension'"


def test_a_worker_killed_under_torchrun_is_told_by_its_signal(bench):
    bench.per_node = 2
    script = bench.root / "dies.py"
    script.write_text(
        "import os, signal, time\n"
        "if os.environ['RANK'] == '1':\n    os.kill(os.getpid(), signal.SIGKILL)\ntime.sleep(600)\n"
    )
    bench.command = [str(script)]
    finished = bench.run()
    assert finished.code == 23
    assert "SIGKILL" in finished.record.message
