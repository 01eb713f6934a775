"""A line to a port of the loopback that can be cut, and mended: a network that goes away."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.harness.versitygw import free_port


@dataclass
class Relay:
    """Hands on what comes in on `port` while it is open."""

    target: int
    port: int = field(default_factory=free_port)
    _listener: socket.socket | None = None
    _connections: list[socket.socket] = field(default_factory=list)

    def open(self) -> None:
        """Take connections from now on."""
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def close(self) -> None:
        """Cut off who is connected, and refuse who comes."""
        if self._listener is not None:
            # One that is waited on would stay open.
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None
        for one in self._connections:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        self._connections.clear()

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = listener.accept()
                far = socket.create_connection(("127.0.0.1", self.target))
                self._connections += [near, far]
                for one, other in ((near, far), (far, near)):
                    threading.Thread(target=_hand_on, args=(one, other), daemon=True).start()


def _hand_on(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


@contextlib.contextmanager
def relay(target: int) -> Iterator[Relay]:
    """A line to `target`, open, for the length of a block."""
    one = Relay(target)
    one.open()
    try:
        yield one
    finally:
        one.close()
