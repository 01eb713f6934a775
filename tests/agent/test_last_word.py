"""An agent ends in time and says how, whatever it waits for; nothing of its training outlives it."""

import gzip
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest

from tests.agent.launching import SCRIPTS, Bench, wait_until
from tests.agent.status_server import receiver
from tests.harness.s3_in_memory import Answer, Request, s3_in_memory
from trainjobs.core.checkpoints.layout import log_key


@pytest.mark.parametrize("hangs", ["", "result.json", "train.jsonl"])
def test_an_agent_heeds_a_wish_to_stop_while_a_download_hangs(bench: Bench, hangs: str):
    asked, over = threading.Event(), threading.Event()

    def hang(request: Request) -> Answer | None:
        if request.key.endswith(hangs) and (hangs or request.lists):
            asked.set()
            over.wait(120)
        return None

    with s3_in_memory(hang) as server:
        server.make_bucket("runs")
        server.objects.buckets["data"] = {"train.jsonl": b'{"text": "good", "scores": {"quality": 1}}\n'}
        bench.store = "s3://runs/tiny"
        bench.recipe = {"dataset": {"train": "s3://data/train.jsonl"}}
        bench.environment = dict(server.environment)
        with bench.agent() as agent:
            assert asked.wait(60)
            agent.terminate()
            # A request of obstore's that hangs is given up after a minute, and then made again.
            output = agent.communicate(timeout=40)[0].decode()
        over.set()
    assert agent.returncode == 143, output
    record = bench.record()
    assert (record.reason, record.message) == ("Preempted", "stopped on request before training began")


def test_a_wish_to_stop_is_heard_while_the_agent_is_still_being_loaded(bench: Bench):
    bench.interpreter = ["-X", "importtime"]
    with bench.agent() as agent:
        # Python tells of each module when it is loaded, and of the agent's own last.
        assert any(b"pydantic" in line for line in agent.stdout)
        agent.terminate()
        output = agent.communicate(timeout=120)[0].decode()
    assert agent.returncode == 143, output
    assert bench.record().message == "stopped on request before training began"


# Nobody can type a zero byte into a path, and no error of ours is meant for it.
MISTAKEN = """
import runpy, sys
sys.argv = ["agent", *sys.argv[1:], "--workspace=zero\\0byte"]
runpy.run_module("trainjobs.agent", run_name="__main__", alter_sys=True)
"""


def test_a_mistake_of_the_agents_own_has_its_record_and_its_end(bench: Bench):
    flags = [f"--recipe={bench.recipe_file()}", "--attempt=1", "--pod-uid=pod"]
    flags.append(f"--termination-log={bench.record_file()}")
    ended = subprocess.run(
        [sys.executable, "-c", MISTAKEN, *flags], capture_output=True, text=True, timeout=120, check=False
    )
    assert ended.returncode == 1, ended.stderr
    assert bench.record().message == "the agent itself has failed: ValueError: embedded null byte"
    assert "Traceback" in ended.stdout


def test_the_log_is_stored_within_a_grace_that_its_checkpoints_do_not_reach_storage_in(bench: Bench):
    bench.command += ["--steps=100000", "--save-every=20"]
    bench.limits = {"graceSeconds": 10}
    refuse, over = threading.Event(), threading.Event()

    def hang(request: Request) -> Answer | None:
        if refuse.is_set() and request.method == "PUT" and "checkpoints/" in request.key:
            over.wait(120)
        return None

    with s3_in_memory(hang) as server:
        server.make_bucket("runs")
        bench.store = "s3://runs/tiny"
        bench.environment = dict(server.environment)
        with bench.agent() as agent:
            wait_until(lambda: any("MANIFEST" in key for key in [*server.objects.buckets["runs"]]))
            refuse.set()
            before = read(bench.workspace() / "node.log").count("saved step")
            wait_until(lambda: read(bench.workspace() / "node.log").count("saved step") > before)
            agent.terminate()
            output = agent.communicate(timeout=60)[0].decode()
        over.set()
        log = gzip.decompress(server.objects.buckets["runs"][f"tiny/{log_key(1, 0)}"]).decode()
    assert agent.returncode == 143, output
    assert "stopping on request" in log
    assert "Preempted: stopped on request" in log.splitlines()[-1]
    assert "did not reach storage in time" in bench.record().message


def test_a_record_is_there_before_what_follows_is_cut_off(bench: Bench):
    bench.command += ["--ignore-sigterm", "--steps=100000"]
    with bench.agent() as agent:
        wait_until(lambda: "saved step" in read(bench.workspace() / "node.log"))
        agent.terminate()
        wait_until(lambda: bench.record_file().exists() and bench.record_file().stat().st_size > 0)
        assert agent.poll() is None
        agent.kill()
        agent.wait()
    assert bench.record().reason == "Preempted"


def test_a_training_that_hears_no_wish_is_killed_within_the_grace(bench: Bench):
    bench.command += ["--ignore-sigterm", "--steps=100000"]
    bench.limits = {"graceSeconds": 5}
    with bench.agent() as agent:
        wait_until(lambda: "saved step" in read(bench.workspace() / "node.log"))
        agent.terminate()
        output = agent.communicate(timeout=60)[0].decode()
    assert agent.returncode == 143, output
    assert "training did not end in time and is killed" in output


def test_orphans_are_reaped_and_none_is_left(bench: Bench):
    bench.command = [str(SCRIPTS / "leaves_orphans.py")]
    finished = bench.run()
    assert finished.code == 0, finished.output
    assert "reaped" in finished.output
    stays = int(read(bench.workspace() / "output" / "stays"))
    assert not psutil.pid_exists(stays)


def test_a_failed_training_has_its_record_while_its_checkpoints_still_wait_for_storage(bench: Bench):
    bench.command += ["--steps=30", "--fail-at=20"]
    refuse = threading.Event()

    def away(request: Request) -> Answer | None:
        return Answer(503) if refuse.is_set() and request.method == "PUT" else None

    with s3_in_memory(away) as server, receiver() as status:
        server.make_bucket("runs")
        bench.store = "s3://runs/tiny"
        bench.environment = dict(server.environment)
        with bench.agent(f"--status-url={status.url}", "--heartbeat-seconds=0.2") as agent:
            wait_until(lambda: status.beats and status.beats[-1].stage in ("Launching", "Training"))
            refuse.set()
            wait_until(lambda: bench.record_file().exists() and bench.record_file().stat().st_size > 0)
            assert agent.poll() is None
    assert bench.record().reason == "TrainingError"


def read(path: Path) -> str:
    return path.read_text() if path.exists() else ""
