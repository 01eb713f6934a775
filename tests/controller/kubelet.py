"""A machine's kubelet as far as logs go: the API server asks it for what containers print, over TLS."""

import contextlib
import http.server
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import trustme

from tests.controller.control_plane import ControlPlane

_BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class Kubelet:
    """One machine; containers print by `print`, and end by `end`."""

    name: str
    port: int = 0
    away: bool = False
    """Whether it answers with an error, as a proxy does for a machine that is gone."""
    _lines: dict[str, list[tuple[datetime, str]]] = field(default_factory=dict)
    _ended: set[str] = field(default_factory=set)
    _cuts: int = 0
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def print(self, pod: str, *lines: str) -> None:
        with self._changed:
            kept = self._lines.setdefault(pod, [])
            # Several a second, so that a second does not tell lines apart.
            kept += [
                (_BEGINNING + timedelta(milliseconds=100 * (len(kept) + index)), line)
                for index, line in enumerate(lines)
            ]
            self._changed.notify_all()

    def end(self, pod: str) -> None:
        """End a container: what follows its log has read it all."""
        with self._changed:
            self._ended.add(pod)
            self._changed.notify_all()

    def cut(self) -> None:
        """Cut off whoever follows a log, as a load balancer does."""
        with self._changed:
            self._cuts += 1
            self._changed.notify_all()

    def told(self, pod: str, query: dict[str, list[str]]) -> Iterator[str]:
        """What the API server is told of a container's log, as long as that is asked for."""
        since = query.get("sinceTime", [""])[0]
        first = datetime.fromisoformat(since) if since else _BEGINNING
        lines = [one for one in self._lines.get(pod, []) if one[0] >= first]
        shown = len(self._lines.get(pod, []))
        if "tailLines" in query:
            lines = lines[len(lines) - int(query["tailLines"][0]) :]
        cuts = self._cuts
        written = _stamped if query.get("timestamps") == ["true"] else _plain
        yield from map(written, lines)
        while "follow" in query and pod not in self._ended and cuts == self._cuts:
            with self._changed:
                self._changed.wait(timeout=0.1)
                lines = self._lines.get(pod, [])[shown:]
                shown += len(lines)
            yield from map(written, lines)


def _plain(line: tuple[datetime, str]) -> str:
    return f"{line[1]}\n"


def _stamped(line: tuple[datetime, str]) -> str:
    """A line as kubelets write it with `timestamps`: nanoseconds, of which all nine digits are there."""
    return f"{line[0].strftime('%Y-%m-%dT%H:%M:%S.%f')}000Z {line[1]}\n"


@contextlib.contextmanager
def kubelet(plane: ControlPlane, folder: Path, name: str) -> Iterator[Kubelet]:
    """Serve a machine that the API server knows, for the length of a block."""
    one = Kubelet(name)

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            place = urlsplit(self.path)
            _, words, _, pod, _ = place.path.split("/")
            assert words == "containerLogs"
            query = parse_qs(place.query)
            self.send_response(500 if one.away else 200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for text in [] if one.away else one.told(pod, query):
                data = text.encode()
                self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
            self.wfile.write(b"0\r\n\r\n")

        def log_message(self, *_: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    one.port = server.server_address[1]
    _register(plane, one)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield one
    finally:
        server.shutdown()
        server.server_close()
        plane.request("DELETE", f"/api/v1/nodes/{name}")


def _register(plane: ControlPlane, one: Kubelet) -> None:
    plane.request("POST", "/api/v1/nodes", {"metadata": {"name": one.name}})
    status = {
        "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": one.port}},
    }
    path = f"/api/v1/nodes/{one.name}/status"
    plane.request("PATCH", path, {"status": status}, "application/strategic-merge-patch+json")
