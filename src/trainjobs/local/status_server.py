"""Where the agents of this machine report to: what the operator's status server is in a cluster."""

import json
import secrets
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from pydantic import ValidationError

from trainjobs.core.reports import Directive, Heartbeat, HeartbeatAnswer

MAX_BODY = 256 * 1024


class StatusServer:
    """Keeps the last heartbeat of each node of each attempt; answers with a directive.

    Bound to loopback; every agent gets the token of this server, and nobody else does.
    """

    def __init__(self, directive: Callable[[Heartbeat], Directive]) -> None:
        self.token = secrets.token_urlsafe(32)
        self._directive = directive
        self._last: dict[tuple[int, int], Heartbeat] = {}
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, name="status-server", daemon=True)

    def __enter__(self) -> "StatusServer":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        """Where agents post to."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/heartbeat"

    def heartbeats(self) -> tuple[Heartbeat, ...]:
        """The last heartbeat of each node of each attempt."""
        with self._lock:
            return tuple(self._last.values())

    def receive(self, heartbeat: Heartbeat) -> HeartbeatAnswer:
        """Take a heartbeat in, and answer it."""
        with self._lock:
            self._last[heartbeat.attempt, heartbeat.node_rank] = heartbeat
        return HeartbeatAnswer(directive=self._directive(heartbeat))

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                given = self.headers.get("Authorization", "").removeprefix("Bearer ")
                if not secrets.compare_digest(given.encode(), server.token.encode()):
                    return self._answer(401, {"error": "unknown token"})
                if length > MAX_BODY:
                    return self._answer(413, {"error": "heartbeat too large"})
                try:
                    heartbeat = Heartbeat.from_json(self.rfile.read(length))
                except ValidationError:
                    return self._answer(400, {"error": "not a heartbeat"})
                answer = server.receive(heartbeat)
                return self._answer(200, answer.model_dump(by_alias=True, mode="json"))

            def _answer(self, code: int, body: dict[str, object]) -> None:
                data = json.dumps(body).encode()
                self.send_response(code)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Heartbeats are not worth a log line each."""

        return Handler
