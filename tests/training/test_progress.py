"""Progress reaches whoever listens, by the contract of the library's own callback."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.training.tiny import make_recipe, train


@pytest.fixture
def listener() -> Iterator[ThreadingHTTPServer]:
    """A server that keeps what it is told."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            server.told.append((self.headers["Authorization"], json.loads(body)))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            """Say nothing."""

    server: Any = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.told = []
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def test_the_last_word_holds_steps_and_figures(
    tmp_path: Path, bert: Path, rows: Path, listener: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = tmp_path / "token"
    token.write_text("secret\n")
    monkeypatch.setenv("KUBEFLOW_TRAINER_SERVER_URL", f"http://127.0.0.1:{listener.server_port}")
    monkeypatch.setenv("KUBEFLOW_TRAINER_SERVER_TOKEN", str(token))
    assert train(make_recipe(tmp_path, bert, rows)) == 0
    assert {authorization for authorization, _ in listener.told} == {"Bearer secret"}
    status = listener.told[-1][1]["trainerStatus"]
    metrics = {item["name"]: item["value"] for item in status["metrics"]}
    assert metrics["current_step"] == metrics["total_steps"] == "16"
    assert float(metrics["eval_loss"]) > 0
    assert float(metrics["tokens_per_second"]) > 0
    assert status["estimatedRemainingSeconds"] == 0
    assert status["lastUpdatedTime"].endswith("+00:00")
    assert "secret" not in (tmp_path / "output" / "training.log").read_text()
