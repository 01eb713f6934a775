"""`kopf run operator/main.py` works on runs, too."""

import os
import subprocess
import sys
from pathlib import Path

from tests.controller.control_plane import ControlPlane
from tests.controller.world import World, run


def test_kopf_run_brings_a_run_forward(plane: ControlPlane, world: World, repo: Path, tmp_path: Path):
    settings = tmp_path / "settings.yaml"
    settings.write_text("defaults: {image: trainer:1, storageUri: s3://runs}\n")
    environment = {
        **os.environ, "KUBECONFIG": str(plane.kubeconfig), "TRAINJOBS_SETTINGS": str(settings),
    }  # fmt: skip
    command = [sys.executable, "-m", "kopf", "run", "-n", world.namespace, str(repo / "operator" / "main.py")]
    with open(tmp_path / "log", "wb") as log:
        process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", *command], env=environment, stdout=log, stderr=log
        )
    try:
        world.create(run("chat"))
        world.wait_for_job("chat")
        process.terminate()
        assert process.wait(timeout=120) == 0
        assert "Traceback" not in (tmp_path / "log").read_text()
    finally:
        process.kill()
        process.wait()
