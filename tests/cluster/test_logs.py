"""What nodes print, read by `trainjobs logs`: while their pods are there, and when they are gone."""

import os
import subprocess
import sys
from pathlib import Path

from tests.cluster.bench import Bench
from tests.cluster.harness.sandbox import wait_for


def command(bench: Bench, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "trainjobs", "logs", "rmrun/talks", "-n", bench.namespace, *arguments]


def environment(bench: Bench) -> dict[str, str]:
    """Of a person who has the cluster's kubeconfig and keys for its storage."""
    return {**os.environ, **bench.cluster.s3.environment, "KUBECONFIG": str(bench.cluster.kubeconfig)}


def logs(bench: Bench, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command(bench, *arguments), env=environment(bench), capture_output=True, text=True, timeout=120
    )


def test_logs_are_read_from_live_pods_and_from_storage_when_those_are_gone(bench: Bench, tmp_path: Path):
    bench.apply("talks", "--steps", "60", "--step-seconds", "0.3", "--save-every", "10")
    pod = bench.until_training("talks")["metadata"]["name"]
    shown = tmp_path / "followed"
    with shown.open("wb") as file:
        followed = subprocess.Popen(command(bench, "--follow"), stdout=file, env=environment(bench))
    try:
        wait_for(lambda: "saved step 20" in shown.read_text(), "what training prints", seconds=90)
        assert logs(bench, "--tail", "2").stdout.count("\n") == 2
        bench.wait("talks", "Succeeded", 120)
        assert followed.wait(timeout=60) == 0
    finally:
        followed.kill()
        followed.wait()
    assert shown.read_text() == bench.kubectl("logs", pod)

    bench.kubectl("delete", "pod", pod)
    stored = logs(bench)

    assert (stored.returncode, "saved step 60" in stored.stdout) == (0, True), stored.stderr
    assert "has no pod; from storage, its last part:" in stored.stderr
    assert set(stored.stdout.splitlines()) <= set(shown.read_text().splitlines())
    missing = logs(bench, "--attempt", "2")
    assert (missing.returncode, missing.stdout) == (2, "")
    assert missing.stderr.endswith("has no log of attempt 2 node 0; it has attempt 1 node 0\n")
