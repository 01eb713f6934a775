"""The operator as its users run it: `python -m trainjobs.controller`, a process that can be killed."""

import contextlib
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.controller.control_plane import ControlPlane
from tests.harness.versitygw import free_port


@dataclass
class Operator:
    """One replica that serves one namespace."""

    plane: ControlPlane
    namespace: str
    folder: Path
    settings: dict[str, Any] = field(default_factory=dict)
    kubeconfig: Path | None = None
    port: int = field(default_factory=free_port)
    _process: "subprocess.Popen[bytes] | None" = None

    @property
    def log(self) -> Path:
        return self.folder / "operator.log"

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self, **settings: Any) -> "Operator":
        """Start it and wait until it is ready."""
        self.launch(**settings)
        wait_for(lambda: self.ready() or not self.running, "the operator to be ready")
        assert self.running, self.log.read_text(errors="replace")[-3000:]
        return self

    def launch(self, **settings: Any) -> None:
        """Start it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.settings = {
            "namespace": self.namespace,
            "watchNamespaces": [self.namespace],
            "metricsHost": "127.0.0.1",
            "metricsPort": self.port,
            "leaderElection": None,
            "defaults": {"image": "trainer:1", "storageUri": "s3://runs", "storageSecretName": "s3-keys"},
            **self.settings,
            **settings,
        }
        file = self.folder / "settings.yaml"
        file.write_text(yaml.safe_dump(self.settings))
        kubeconfig = self.kubeconfig or self.plane.kubeconfig
        command = [sys.executable, "-m", "trainjobs.controller", "--settings", str(file)]
        with open(self.log, "ab") as log:
            self._process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *command, "--kubeconfig", str(kubeconfig)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env={**os.environ},
            )  # fmt: skip

    def ready(self) -> bool:
        return self.get("/readyz")[0] == 200

    def get(self, path: str) -> tuple[int, str]:
        """Ask its health and metrics server; status 0 when it does not answer."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def metric(self, name: str) -> float:
        """The sum of a series' samples; 0 where there are none."""
        lines = self.get("/metrics")[1].splitlines()
        return sum(
            float(line.rpartition(" ")[2]) for line in lines if line.startswith((f"{name}{{", f"{name} "))
        )

    def terminate(self, *, seconds: float = 120) -> int:
        """Ask it to end; its exit code."""
        assert self._process is not None
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGTERM)
        return self._process.wait(timeout=seconds)

    def wait(self, *, seconds: float = 120) -> int:
        """Wait for its end; its exit code."""
        assert self._process is not None
        return self._process.wait(timeout=seconds)

    def send(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        """End it at once, as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()


def wait_for(condition: Any, what: str, *, seconds: float = 120, every: float = 0.1) -> Any:
    """Wait until a condition holds and return what it gave; TimeoutError with `what` when it does not."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds:.0f} s for {what}")
        time.sleep(every)
    return found
