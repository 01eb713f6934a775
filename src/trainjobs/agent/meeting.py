"""The nodes of an attempt wait for one another before training is launched on any of them.

torchrun gives up when a node is missing for a quarter of an hour; a machine may be missing for a day. So
node 0's agent counts who is there, by connections that every other agent holds open, and lets all go at
once: at the port next to the one at which their processes will meet, through the same network. Who has gone
again is not counted. There is no limit of its own: whoever judges the attempt sees what its nodes wait for,
and ends it.
"""

import ipaddress
import json
import logging
import selectors
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from trainjobs.agent.company import Company
from trainjobs.agent.launch import Rendezvous
from trainjobs.agent.stop import StopRequests
from trainjobs.errors import Preempted, RendezvousFailed

_log = logging.getLogger(__name__)
_LOOK_SECONDS = 0.1
_AGAIN_SECONDS = 1.0
_CONNECT_SECONDS = 5.0
_MOST_BYTES = 1024
_GO = b"go\n"


@dataclass(frozen=True, slots=True)
class Meeting:
    """Where and for which attempt the nodes meet."""

    run_uid: str
    place: Rendezvous
    nodes: int
    waits_for: Callable[[str], None]
    """Told what is waited for, whenever that changes."""

    @property
    def port(self) -> int:
        """Of node 0's agent: the one after that of its processes."""
        return self.place.port + 1 if self.place.port < 65535 else self.place.port - 1

    def greeting(self, rank: int) -> bytes:
        """What a node says when it comes; another run's or attempt's is another."""
        return json.dumps([self.run_uid, self.place.attempt, rank]).encode() + b"\n"


def meet(meeting: Meeting, stop: StopRequests) -> Company:
    """Return when all nodes are there, what tells whether they still are.

    Raises:
        Preempted: asked to stop meanwhile.
        RendezvousFailed: node 0 cannot listen.
    """
    if meeting.nodes == 1:
        return Company()
    if meeting.place.node_rank == 0:
        with _listening(meeting) as listener, _Host(meeting, listener) as host:
            while not host.complete():
                _heed(stop)
                host.look(_LOOK_SECONDS)
            return host.let_go()
    meeting.waits_for(f"the other {meeting.nodes - 1} of {meeting.nodes} nodes")
    let_go: list[socket.socket] = []
    given_up = threading.Event()
    # Names are looked up and connections made without a limit that a wish to stop would cut short.
    threading.Thread(target=_attend, args=(meeting, let_go, given_up), name="meeting", daemon=True).start()
    try:
        while not let_go:
            _heed(stop)
            stop.wait(_LOOK_SECONDS)
        return Company({0: let_go[0]})
    finally:
        given_up.set()


def _heed(stop: StopRequests) -> None:
    if stop.asked:
        raise Preempted("stopped on request before training began")


def _listening(meeting: Meeting) -> socket.socket:
    address = meeting.place.address
    with suppress(ValueError):
        # On one machine nobody else has to reach it.
        if ipaddress.ip_address(address).is_loopback:
            return _server((address, meeting.port), dual=False)
    return _server(("", meeting.port), dual=socket.has_dualstack_ipv6())


def _server(where: tuple[str, int], *, dual: bool) -> socket.socket:
    family = socket.AF_INET6 if dual or ":" in where[0] else socket.AF_INET
    try:
        listener = socket.create_server(where, family=family, backlog=1024, dualstack_ipv6=dual)
    except OSError as error:
        raise RendezvousFailed(
            f"node 0 cannot wait for the others at port {where[1]}: {error.strerror}"
        ) from None
    listener.settimeout(0)
    return listener


@dataclass(slots=True)
class _Guest:
    """A connection to node 0, of which node is known once it has said so."""

    connection: socket.socket
    said: bytes = b""
    rank: int | None = None


@dataclass(slots=True)
class _Host:
    """Node 0's side: who is there."""

    meeting: Meeting
    listener: socket.socket
    guests: list[_Guest] = field(default_factory=list)
    selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)

    def __enter__(self) -> "_Host":
        self.selector.register(self.listener, selectors.EVENT_READ)
        self._tell()
        return self

    def __exit__(self, *_: object) -> None:
        self.selector.close()
        for guest in self.guests:
            guest.connection.close()

    def complete(self) -> bool:
        """Whether every other node is there now."""
        return len(self._ranks()) == self.meeting.nodes - 1

    def look(self, seconds: float) -> None:
        """Take in what happens within some time: who comes, who speaks, who leaves."""
        before = self._ranks()
        for key, _ in self.selector.select(seconds):
            if key.data is None:
                self._welcome()
            else:
                self._hear(key.data)
        if self._ranks() != before:
            self._tell()

    def let_go(self) -> Company:
        """Tell every node that all are there; they stay connected."""
        there = {guest.rank: guest.connection for guest in self.guests if guest.rank is not None}
        for connection in there.values():
            # One that breaks off now fails with its machine, and that ends the attempt.
            with suppress(OSError):
                connection.sendall(_GO)
        return Company({rank: connection.dup() for rank, connection in there.items()})

    def _ranks(self) -> set[int]:
        return {guest.rank for guest in self.guests if guest.rank is not None}

    def _tell(self) -> None:
        missing = sorted(set(range(1, self.meeting.nodes)) - self._ranks())
        if missing:
            named = ", ".join(map(str, missing[:8])) + (", …" if len(missing) > 8 else "")
            word = "node" if len(missing) == 1 else "nodes"
            there = self.meeting.nodes - len(missing)
            self.meeting.waits_for(f"{word} {named}: {there} of {self.meeting.nodes} are there")

    def _welcome(self) -> None:
        with suppress(OSError):
            connection, _ = self.listener.accept()
            connection.settimeout(0)
            _keep_alive(connection)
            guest = _Guest(connection)
            self.guests.append(guest)
            self.selector.register(connection, selectors.EVENT_READ, guest)

    def _hear(self, guest: _Guest) -> None:
        try:
            said = guest.connection.recv(_MOST_BYTES)
        except BlockingIOError:
            return
        except OSError:
            said = b""
        guest.said += said
        if not said or len(guest.said) > _MOST_BYTES:
            self._leave(guest)
        elif guest.said.endswith(b"\n"):
            self._seat(guest)

    def _seat(self, guest: _Guest) -> None:
        nodes = range(1, self.meeting.nodes)
        rank = next((one for one in nodes if self.meeting.greeting(one) == guest.said), None)
        if rank is None:
            _log.warning("somebody who is no node of this attempt came to its meeting, and is sent away")
            self._leave(guest)
            return
        # A node that comes again has lost its first connection, whether or not that is seen here yet.
        for other in [one for one in self.guests if one.rank == rank]:
            self._leave(other)
        guest.rank = rank

    def _leave(self, guest: _Guest) -> None:
        self.guests.remove(guest)
        self.selector.unregister(guest.connection)
        guest.connection.close()


def _attend(meeting: Meeting, let_go: list[socket.socket], given_up: threading.Event) -> None:
    """Be there, again and again, until node 0 lets go."""
    place = (meeting.place.address, meeting.port)
    while not given_up.is_set():
        with suppress(OSError), socket.create_connection(place, timeout=_CONNECT_SECONDS) as connection:
            _keep_alive(connection)
            connection.sendall(meeting.greeting(meeting.place.node_rank))
            if _is_let_go(connection, given_up):
                let_go.append(connection.dup())
                return
        # Its name is not known before its pod runs, nor its port open before it has fetched everything.
        given_up.wait(_AGAIN_SECONDS)


def _is_let_go(connection: socket.socket, given_up: threading.Event) -> bool:
    said = b""
    connection.settimeout(_AGAIN_SECONDS)
    while not given_up.is_set() and said != _GO:
        try:
            chunk = connection.recv(len(_GO) - len(said))
        except TimeoutError:
            continue
        if not chunk:
            return False
        said += chunk
    return said == _GO


def _keep_alive(connection: socket.socket) -> None:
    """Have the kernel notice within a minute that the other machine is no more."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (("TCP_KEEPIDLE", 15), ("TCP_KEEPINTVL", 15), ("TCP_KEEPCNT", 3)):
        if (option := getattr(socket, name, None)) is not None:
            connection.setsockopt(socket.IPPROTO_TCP, option, value)
