"""Lines that let a test act amid a transfer: one that carries little a second, and one that is dead."""

import contextlib
import socket
import socketserver
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.cluster.harness.layout import HUB, S3_PORT, UPLINK_OUTSIDE

_PIECE = 16 * 1024


@dataclass
class NarrowLine:
    """The cluster's S3 server at another address, behind a line that all connections share."""

    bytes_per_second: int
    port: int = 0
    carried: int = 0
    """Bytes that went to the server."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def endpoint(self) -> str:
        return f"http://{UPLINK_OUTSIDE}:{self.port}"

    def carry(self, source: socket.socket, target: socket.socket) -> None:
        """Bring bytes to the server, slowly, until either side has closed."""
        with contextlib.suppress(OSError):
            while piece := source.recv(_PIECE):
                with self._lock:
                    time.sleep(len(piece) / self.bytes_per_second)
                    self.carried += len(piece)
                target.sendall(piece)
            target.shutdown(socket.SHUT_WR)

    def answer(self, source: socket.socket, target: socket.socket) -> None:
        """Bring answers back as they come."""
        with contextlib.suppress(OSError):
            while piece := source.recv(_PIECE):
                target.sendall(piece)
            target.shutdown(socket.SHUT_WR)


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 64


@contextlib.contextmanager
def narrow_line(bytes_per_second: int) -> Iterator[NarrowLine]:
    """Give pods a slow way to the S3 server, for the length of a block."""
    line = NarrowLine(bytes_per_second)

    class Connection(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with contextlib.suppress(OSError), socket.create_connection((HUB, S3_PORT)) as server:
                back = threading.Thread(target=line.answer, args=(server, self.request), daemon=True)
                back.start()
                line.carry(self.request, server)
                back.join()

    with _Server((UPLINK_OUTSIDE, 0), Connection) as server:
        line.port = int(server.server_address[1])
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield line
        finally:
            server.shutdown()


@contextlib.contextmanager
def dead_registry() -> Iterator[str]:
    """An address of a registry that takes connections and never answers: pulls from it do not end."""
    with socket.create_server((UPLINK_OUTSIDE, 0)) as listening:
        kept: list[Any] = []

        def take() -> None:
            with contextlib.suppress(OSError):
                while True:
                    kept.append(listening.accept())

        threading.Thread(target=take, daemon=True).start()
        try:
            yield f"{UPLINK_OUTSIDE}:{listening.getsockname()[1]}"
        finally:
            # Wakes the one that waits for connections.
            listening.shutdown(socket.SHUT_RDWR)
            for connection, _ in kept:
                connection.close()
