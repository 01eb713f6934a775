"""The agent's small server: training tells its progress, Prometheus reads, the kubelet asks if it lives."""

import hmac
import logging
import os
import secrets
import socket
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from trainjobs.agent.exposition import exposition
from trainjobs.agent.progress import parse_report
from trainjobs.agent.status import Status
from trainjobs.errors import InvalidData, UsageError

_log = logging.getLogger(__name__)
_PROGRESS = "/progress"
_MOST_BYTES = 1024 * 1024
_SECONDS = 10.0
_HERE = "127.0.0.1"
_Request = socket.socket | tuple[bytes, socket.socket]
_STRANGERS = 16
"""Connections from elsewhere at a time: Prometheus needs one, and any pod of the cluster may come in."""


class AgentServer:
    """Serves until it is closed, from threads of its own.

    Raises:
        UsageError: the address cannot be had.
    """

    def __init__(self, status: Status, *, host: str, port: int, token_file: Path) -> None:
        token = secrets.token_urlsafe(32)
        _write_secret(token_file, token)
        self._token_file = token_file
        try:
            self._server = _Server((host, port), status, token)
        except OSError as error:
            raise UsageError(f"--metrics-host {host} --metrics-port {port}: {error.strerror}") from error
        self._thread = threading.Thread(target=self._server.serve_forever, name="server", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self._server.server_address[1])

    def environment(self) -> dict[str, str]:
        """Return what a Trainer of transformers needs in order to report here."""
        no_proxy = ",".join(filter(None, [os.environ.get("NO_PROXY") or os.environ.get("no_proxy"), _HERE]))
        return {
            "KUBEFLOW_TRAINER_SERVER_URL": f"http://{_HERE}:{self.port}{_PROGRESS}",
            "KUBEFLOW_TRAINER_SERVER_TOKEN": str(self._token_file),
            # A report to this machine must not travel through a proxy.
            "NO_PROXY": no_proxy,
            "no_proxy": no_proxy,
        }

    def close(self) -> None:
        """Stop serving and take the token away."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        self._token_file.unlink(missing_ok=True)


def _write_secret(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], status: Status, token: str) -> None:
        self.status = status
        self.token = token
        self._strangers = threading.BoundedSemaphore(_STRANGERS)
        super().__init__(address, _Handler)

    def process_request(self, request: _Request, client_address: Any) -> None:  # noqa: ANN401
        """Serve from a thread of its own: training always, of all others only so many at a time."""
        if client_address[0] != _HERE and not self._strangers.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: _Request, client_address: Any) -> None:  # noqa: ANN401
        """Serve one connection to its end."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            if client_address[0] != _HERE:
                self._strangers.release()


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = _SECONDS

    def do_POST(self) -> None:
        if self.path != _PROGRESS or self.client_address[0] != _HERE:
            return self._answer(HTTPStatus.NOT_FOUND)
        given = self.headers.get("Authorization", "").encode()
        if not hmac.compare_digest(given, f"Bearer {self.server.token}".encode()):
            return self._answer(HTTPStatus.UNAUTHORIZED)
        length = self.headers.get("Content-Length", "")
        if not length.isascii() or not length.isdigit():
            return self._answer(HTTPStatus.LENGTH_REQUIRED)
        if int(length) > _MOST_BYTES:
            return self._answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        try:
            self.server.status.take([parse_report(self.rfile.read(int(length)))])
        except InvalidData as error:
            return self._answer(HTTPStatus.BAD_REQUEST, str(error).encode())
        return self._answer(HTTPStatus.OK)

    def do_GET(self) -> None:
        if self.path == "/metrics":
            return self._answer(HTTPStatus.OK, exposition(self.server.status), "text/plain; version=1.0.0")
        if self.path == "/healthz":
            return self._answer(HTTPStatus.OK, b"ok\n")
        return self._answer(HTTPStatus.NOT_FOUND)

    def _answer(self, code: HTTPStatus, body: bytes = b"", kind: str = "text/plain; charset=utf-8") -> None:
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (the name in http.server)
        _log.debug(format, *args)
