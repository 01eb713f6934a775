"""What an agent says while it works: heartbeats, Prometheus series, health."""

import socket
import urllib.error
import urllib.request
from itertools import pairwise

import pytest

from tests.agent.launching import wait_until
from tests.agent.status_server import Receiver, receiver
from tests.harness.versitygw import free_port
from trainjobs.core.checkpoints.layout import CheckpointRef


def get(port: int, path: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=60) as answer:
        return answer.read().decode()


def test_heartbeats_tell_progress_figures_and_checkpoints(bench):
    bench.command += ["--steps=40", "--step-seconds=0.1"]
    token = bench.root / "token"
    token.write_text("a-projected-token\n")
    with receiver() as status:
        finished = bench.run(
            f"--status-url={status.url}", f"--status-token={token}", "--heartbeat-seconds=0.2"
        )
    assert finished.code == 0, finished.output
    assert status.tokens == {"Bearer a-projected-token"}
    assert status.stages()[-2:] == ["Training", "Finished"] or "Uploading" in status.stages()
    training = [beat for beat in status.beats if beat.stage == "Training" and beat.progress]
    steps = [beat.progress.step for beat in training]
    assert steps == sorted(steps)
    assert len(set(steps)) > 5
    middle = training[len(training) // 2]
    assert middle.progress.total_steps == 40
    # At the pace of the steps so far, which are of 0.1 s at least, whatever this machine adds.
    left = 40 - middle.progress.step
    so_far = (middle.time - status.beats[0].time).total_seconds()
    assert 0.05 * left <= middle.progress.eta_seconds <= so_far * left + 1
    assert middle.metrics.latest["loss"] > 0
    last = status.beats[-1]
    assert last.stage == "Finished"
    assert last.checkpoints.latest.step == 40
    assert last.sync.healthy
    assert last.sync.pending == 0


def test_a_checkpoint_is_in_storage_within_two_seconds_of_being_saved(bench):
    bench.command += ["--steps=9", "--save-every=5", "--step-seconds=0.5"]
    with receiver() as status:
        bench.run(f"--status-url={status.url}", "--heartbeat-seconds=0.1")
    saved = (bench.workspace() / "output" / "checkpoint-5" / "trainer_state.json").stat().st_mtime
    stored = (bench.root / "store" / CheckpointRef(5, 1).folder / "MANIFEST.json").stat().st_mtime
    # The script leaves no mark: one second of quiet is part of it.
    assert saved < stored < saved + 2.0 + held_up(status, saved, stored)


def held_up(status: Receiver, since: float, until: float) -> float:
    """Seconds that this machine kept the agent waiting: its heartbeats are due every tenth of a second."""
    sent = [beat.time.timestamp() for beat in status.beats]
    during = [(before, after) for before, after in pairwise(sent) if since < after and before < until]
    return sum(max(0.0, after - before - 0.15) for before, after in during)


def test_a_status_server_that_fails_never_hurts_training(bench):
    with receiver() as status:
        status.broken = True
        finished = bench.run(f"--status-url={status.url}", "--heartbeat-seconds=0.1")
    assert finished.code == 0
    assert finished.output.count("did not take a heartbeat") == 1
    gone = bench.run(f"--status-url={status.url}", attempt=2)
    assert gone.code == 0


def test_the_status_server_can_stop_a_training(bench):
    bench.command += ["--steps=4000"]
    with receiver() as status, bench.agent(f"--status-url={status.url}", "--heartbeat-seconds=0.1") as agent:
        wait_until(lambda: any(beat.checkpoints.latest for beat in status.beats))
        status.directive = "Stop"
        agent.communicate(timeout=120)
    assert agent.returncode == 143
    assert "Saving" in status.stages()


def test_prometheus_reads_the_runs_series_and_only_training_may_report(bench):
    bench.command += ["--steps=4000"]
    port = free_port()
    with bench.agent(f"--metrics-port={port}") as agent:
        wait_until(lambda: (bench.root / "store" / "checkpoints").exists())
        assert get(port, "/healthz") == "ok\n"
        wait_until(lambda: "trainjobs_run_checkpoint_bytes" in get(port, "/metrics"))
        series = get(port, "/metrics")
        labels = 'kind="SFTRun",namespace="ml",run="tiny"'
        assert f'trainjobs_run_metric{{{labels[:0]}kind="SFTRun",name="loss"' in series
        assert f"trainjobs_run_steps_total{{{labels}}} 4000.0" in series
        assert 'stage="Training"} 1.0' in series
        assert "trainjobs_agent_upload_bytes_total" in series
        for headers in ({}, {"Authorization": "Bearer wrong"}):
            request = urllib.request.Request(
                f"http://127.0.0.1:{port}/progress", data=b"{}", headers=headers, method="POST"
            )
            with pytest.raises(urllib.error.HTTPError) as refused:
                urllib.request.urlopen(request, timeout=60)
            assert refused.value.code == 401
        token = bench.workspace() / ".progress-token"
        assert token.stat().st_mode & 0o777 == 0o600
        agent.terminate()
        agent.communicate(timeout=120)
    assert not token.exists()


def test_a_certificate_that_is_not_there_hurts_heartbeats_only(bench):
    finished = bench.run("--status-url=https://127.0.0.1:9/x", f"--status-ca={bench.root}/no-such.crt")
    assert finished.code == 0
    assert "did not take a heartbeat" in finished.output


def test_a_port_that_is_taken_is_told(bench):
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        with bench.agent(f"--metrics-port={port}") as agent:
            agent.communicate(timeout=120)
    assert agent.returncode == 2
    assert f"--metrics-port {port}: Address already in use" in bench.record().message
