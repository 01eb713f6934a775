"""The receiving end of heartbeats: an HTTP server that keeps what it was sent and answers as it is told."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from trainjobs.core.reports import Heartbeat


class Receiver(ThreadingHTTPServer):
    """Keeps heartbeats and the tokens they came with."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.beats: list[Heartbeat] = []
        self.tokens: set[str] = set()
        self.directive = "Continue"
        self.broken = False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/heartbeat"

    def stages(self) -> list[str]:
        return list(dict.fromkeys(beat.stage for beat in self.beats))


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.server.broken:
            self.send_error(503)
            return
        self.server.beats.append(Heartbeat.model_validate_json(body))
        self.server.tokens.add(self.headers.get("Authorization", ""))
        answer = json.dumps({"directive": self.server.directive}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def receiver() -> Iterator[Receiver]:
    server = Receiver()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
