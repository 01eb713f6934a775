"""One run over two machines, played by two addresses of loopback and two folders of work."""

import json
import os
import signal
from pathlib import Path

from tests.cli.conftest import RANKS, Bench
from tests.cli.runs import until
from tests.harness.versitygw import free_port

TWO = {"nodes": 2, "processesPerNode": 1}


def shared(bench: Bench, name: str, *arguments: str) -> Path:
    command = {"runtime": {"command": [str(RANKS), *arguments]}, "topology": TWO}
    return bench.manifest(name, spec=command)


def test_two_machines_train_one_model(bench: Bench) -> None:
    manifest = shared(bench, "both")
    master = f"127.0.0.2:{free_port('127.0.0.2')}"
    follower = bench.start("run", manifest, "--node-rank", "1", "--master", master)
    leader = bench.run("run", manifest, "--node-rank", "0", "--master", master)
    _, said = follower.communicate(timeout=240)
    assert leader.returncode == 0, leader.stderr
    assert follower.returncode == 0, said
    place = bench.place("both")
    # The ranks of both machines were added up: 1 + 2.
    assert (place / "artifacts/model-a0001/config.json").read_text() == "3"
    assert (place / "logs/attempt-0001/node-1/node.log").read_text().startswith("rank 1 of 2")
    assert not (place / "work").exists()
    assert "Model   runs/rewardmodelrun/both/artifacts/model-a0001" in leader.stdout


def test_a_machine_that_waits_for_another_says_so(bench: Bench) -> None:
    manifest = shared(bench, "alone")
    master = f"127.0.0.2:{free_port('127.0.0.2')}"
    for rank, words in (
        ("1", f"waits for node 0 at {master}, since "),
        ("0", "--node-rank 1 on another machine, since "),
    ):
        waiting = bench.start("run", manifest, "--node-rank", rank, "--master", master)
        assert waiting.stderr is not None
        assert next((line for line in waiting.stderr if words in line), None)
        waiting.send_signal(signal.SIGINT)
        waiting.communicate(timeout=240)


def test_when_one_machine_fails_both_begin_the_next_attempt(bench: Bench) -> None:
    manifest = shared(bench, "lame", "--wait")
    master = f"127.0.0.2:{free_port('127.0.0.2')}"
    leader = bench.start("run", manifest, "--node-rank", "0", "--master", master)
    follower = bench.start("run", manifest, "--node-rank", "1", "--master", master)
    place = bench.place("lame")
    log = place / "work/attempt-0001/node-1/node.log"
    until("the meeting of both machines", lambda: log.exists() and "sum 3" in log.read_text())
    kill_agent_of_node_1(place)
    again = place / "work/attempt-0002/node-1/node.log"
    until("the second attempt", lambda: again.exists() and "sum 3" in again.read_text())
    assert json.loads((place / "status.json").read_text())["attempt"] == 2
    leader.send_signal(signal.SIGINT)
    leader.communicate(timeout=240)
    assert leader.returncode == 130
    follower.communicate(timeout=240)
    assert follower.returncode == 130


def kill_agent_of_node_1(place: Path) -> None:
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = file.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if "trainjobs.agent" in line and str(place / "work/attempt-0001/node-1") in line:
            os.kill(int(file.parent.name), signal.SIGKILL)


def test_a_manifest_that_differs_is_refused(bench: Bench) -> None:
    manifest = shared(bench, "differs")
    master = f"127.0.0.2:{free_port('127.0.0.2')}"
    bench.start("run", manifest, "--node-rank", "0", "--master", master)
    follower = bench.run(
        "run", manifest, "--node-rank", "1", "--master", master, "--set", "spec.training.seed=7"
    )
    assert follower.returncode == 10
    assert "the manifest here differs from node 0's" in follower.stderr


def test_an_address_of_another_machine_is_refused_by_the_leader(bench: Bench) -> None:
    ended = bench.run("run", shared(bench, "far"), "--node-rank", "0", "--master", "192.0.2.1:29500")
    assert ended.returncode == 2
    assert "--master 192.0.2.1:29500: cannot listen there" in ended.stderr


def test_a_rank_beyond_the_nodes_is_refused(bench: Bench) -> None:
    ended = bench.run("run", shared(bench, "many"), "--node-rank", "2", "--master", "127.0.0.2:29500")
    assert ended.returncode == 2
    assert "--node-rank 2: spec.topology.nodes is 2; give 0 to 1, or more nodes" in ended.stderr
