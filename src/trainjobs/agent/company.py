"""Which other nodes of an attempt are still there, as connections tell that last as long as their agents.

Nothing is sent over them. An agent that ends closes its own; of a machine that falls silent the kernel
notices within a minute.
"""

import socket
from collections.abc import Mapping


class Company:
    """The nodes that this one knows: node 0 all others, every other node 0."""

    def __init__(self, connections: Mapping[int, socket.socket] | None = None) -> None:
        """Take over the connections, by the number of the node at the other end."""
        self._connections = dict(connections or {})
        self._gone: set[int] = set()

    def gone(self) -> frozenset[int]:
        """Return the nodes whose agent has ended, or whose machine does not answer."""
        for rank, connection in self._connections.items():
            if rank not in self._gone and _has_ended(connection):
                self._gone.add(rank)
        return frozenset(self._gone)

    def close(self) -> None:
        """Leave."""
        for connection in self._connections.values():
            connection.close()


def _has_ended(connection: socket.socket) -> bool:
    try:
        connection.settimeout(0)
        return connection.recv(1, socket.MSG_PEEK) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True
