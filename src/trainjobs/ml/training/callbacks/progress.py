"""Progress for whoever started the training, by the contract that the library's `KubeflowCallback` speaks.

`KUBEFLOW_TRAINER_SERVER_URL` (with `_TOKEN`, a file, and `_CA_CERT`) is told
`{"trainerStatus": {progressPercentage, estimatedRemainingSeconds, metrics: [{name, value}],
lastUpdatedTime}}`. The library's own callback reports every 5 s and divides the time since a
resume by all steps; here it is every second, and the time left comes from the last steps.
"""

import json
import logging
import os
import ssl
import threading
import time
import urllib.error
import urllib.request
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from trainjobs.ml.training.callbacks.history import figures_of

_log = logging.getLogger(__name__)
_INTERVAL = 1.0
_TIMEOUT = 5.0
_RECENT = 0.9
"""How much of the smoothed seconds per step a new step leaves."""


class ProgressSender:
    """Sends the newest status from a thread of its own: a slow listener never slows training."""

    def __init__(self, url: str, token_file: Path, ca_file: str | None) -> None:
        self._url = url
        self._token_file = token_file
        self._tls = ssl.create_default_context(cafile=ca_file) if ca_file else None
        self._newest: bytes | None = None
        self._ready = threading.Condition()
        self._ended = False
        self._thread = threading.Thread(target=self._run, name="progress", daemon=True)
        self._thread.start()

    @classmethod
    def from_environment(cls) -> Self | None:
        """Return a sender where the environment names a listener and a token."""
        url = os.environ.get("KUBEFLOW_TRAINER_SERVER_URL")
        token = os.environ.get("KUBEFLOW_TRAINER_SERVER_TOKEN")
        if not url or not token:
            return None
        return cls(url, Path(token), os.environ.get("KUBEFLOW_TRAINER_SERVER_CA_CERT"))

    def put(self, status: dict[str, Any]) -> None:
        """Have this sent next; one that was not sent yet is dropped for it."""
        body = json.dumps({"trainerStatus": status}).encode()
        with self._ready:
            self._newest = body
            self._ready.notify()

    def close(self) -> None:
        """Send what is waiting and end."""
        with self._ready:
            self._ended = True
            self._ready.notify()
        self._thread.join(timeout=2 * _TIMEOUT)

    def _run(self) -> None:
        while True:
            with self._ready:
                self._ready.wait_for(lambda: self._newest is not None or self._ended)
                body, self._newest = self._newest, None
            if body is None:
                return
            self._send(body)
            with self._ready:
                self._ready.wait_for(lambda: self._ended, timeout=_INTERVAL)

    def _send(self, body: bytes) -> None:
        try:
            token = self._token_file.read_text(encoding="utf-8").strip()
            headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
            request = urllib.request.Request(self._url, data=body, headers=headers, method="POST")  # noqa: S310
            with urllib.request.urlopen(request, timeout=_TIMEOUT, context=self._tls):  # noqa: S310
                pass
        except (OSError, urllib.error.URLError) as error:
            # Whoever listens may be gone for a while; the next status says more than this one.
            _log.debug("progress not sent: %s", error)


class Progress(TrainerCallback):
    """Puts together what is sent; used on rank 0 only."""

    def __init__(self, sender: ProgressSender) -> None:
        self._sender = sender
        self._metrics: dict[str, float] = {}
        self._step_at: float | None = None
        self._seconds_per_step: float | None = None

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self._send(state)

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        self._metrics |= figures_of(logs or {})
        if any(name.startswith("eval_") for name in logs or {}):
            self._send(state)

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self._step_at = time.monotonic()

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        if self._step_at is not None:
            taken = time.monotonic() - self._step_at
            before = self._seconds_per_step
            self._seconds_per_step = taken if before is None else _RECENT * before + (1 - _RECENT) * taken
        self._send(state)

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self._send(state)
        self._sender.close()

    def _send(self, state: TrainerState) -> None:
        done = state.global_step / max(state.max_steps, 1)
        status: dict[str, Any] = {
            "lastUpdatedTime": datetime.now(UTC).isoformat(),
            # 100 is for the end of the whole run: evaluation and report follow the last step.
            "progressPercentage": min(99, int(100 * done)),
        }
        if self._seconds_per_step is not None:
            left = self._seconds_per_step * (state.max_steps - state.global_step)
            status["estimatedRemainingSeconds"] = max(0, int(left))
        metrics = self._metrics | {"current_step": state.global_step, "total_steps": state.max_steps}
        if state.epoch is not None:
            metrics["current_epoch"] = round(state.epoch, 2)
        status["metrics"] = [{"name": name, "value": str(value)} for name, value in metrics.items()]
        self._sender.put(status)
