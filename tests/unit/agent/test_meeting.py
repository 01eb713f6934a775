"""Nodes go on together, when all of them are there, and not before."""

import socket
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from tests.agent.launching import wait_until
from tests.harness.versitygw import free_port
from trainjobs.agent.company import Company
from trainjobs.agent.launch import Rendezvous
from trainjobs.agent.meeting import Meeting, meet
from trainjobs.agent.stop import StopRequests
from trainjobs.errors import Preempted, RendezvousFailed


class Nodes:
    """The nodes of one attempt, each in a thread."""

    def __init__(self, nodes: int, pool: ThreadPoolExecutor) -> None:
        self.nodes = nodes
        self.port = free_port()
        self.stops = [StopRequests() for _ in range(nodes)]
        self.said: list[str] = []
        self.threads = pool

    def meeting(self, rank: int, attempt: int = 1, run_uid: str = "run") -> Meeting:
        place = Rendezvous(attempt, rank, "127.0.0.1", self.port)
        return Meeting(run_uid, place, self.nodes, self.said.append if rank == 0 else lambda _: None)

    def come(self, rank: int, **other: int) -> "Future[Company]":
        return self.threads.submit(meet, self.meeting(rank, **other), self.stops[rank])

    def wait_for(self, words: str) -> None:
        wait_until(lambda: bool(self.said) and words in self.said[-1], seconds=20)


@contextmanager
def attempt_of(nodes: int) -> Iterator[Nodes]:
    with ThreadPoolExecutor(8) as pool:
        made = Nodes(nodes, pool)
        try:
            yield made
        finally:
            for stop in made.stops:
                stop.ask()


def test_nobody_goes_on_before_the_last_node_is_there():
    with attempt_of(3) as nodes:
        early = nodes.come(2)
        host = nodes.come(0)
        nodes.wait_for("node 1: 2 of 3 are there")
        assert not host.done()
        assert not early.done()
        late = nodes.come(1)
        for one in (host, early, late):
            one.result(timeout=20)


def test_a_node_that_has_gone_again_is_not_counted():
    with attempt_of(3) as nodes:
        host, first = nodes.come(0), nodes.come(1)
        nodes.wait_for("node 2: 2 of 3 are there")
        nodes.stops[1].ask()
        with pytest.raises(Preempted):
            first.result(timeout=20)
        nodes.wait_for("nodes 1, 2: 1 of 3 are there")
        second = nodes.come(2)
        nodes.wait_for("node 1: 2 of 3 are there")
        assert not host.done()
        nodes.stops[1] = StopRequests()
        again = nodes.come(1)
        for one in (host, second, again):
            one.result(timeout=20)


def test_a_node_of_an_older_attempt_and_a_stranger_are_not_counted():
    with attempt_of(2) as nodes:
        host = nodes.come(0, attempt=2)
        nodes.wait_for("node 1: 1 of 2 are there")
        stale = nodes.come(1, attempt=1)
        with socket.create_connection(("127.0.0.1", nodes.meeting(0).port)) as stranger:
            stranger.sendall(b"GET / HTTP/1.1\r\n\r\n")
            assert stranger.recv(1) == b""
        assert not host.done()
        assert not stale.done()
        nodes.stops[1].ask()
        nodes.stops[1] = StopRequests()
        right = nodes.come(1, attempt=2)
        host.result(timeout=20)
        right.result(timeout=20)


@pytest.mark.parametrize("rank", [0, 1])
def test_a_node_that_waits_heeds_a_wish_to_stop(rank: int):
    with attempt_of(2) as nodes:
        waiting = nodes.come(rank)
        threading.Event().wait(0.1)
        nodes.stops[rank].ask()
        with pytest.raises(Preempted, match="before training began"):
            waiting.result(timeout=20)


def test_a_port_that_is_taken_is_named():
    with attempt_of(2) as nodes, socket.create_server(("127.0.0.1", nodes.meeting(0).port)):
        refused = nodes.come(0).exception(timeout=20)
    assert isinstance(refused, RendezvousFailed)
    assert f"at port {nodes.port + 1}: Address already in use" in str(refused)


def test_one_node_meets_nobody():
    with attempt_of(1) as nodes:
        meet(nodes.meeting(0), nodes.stops[0])


def test_who_has_met_knows_who_has_gone_since():
    with attempt_of(3) as nodes:
        coming = [nodes.come(rank) for rank in range(3)]
        host, first, second = (one.result(timeout=20) for one in coming)
        assert [one.gone() for one in (host, first, second)] == [frozenset()] * 3
        second.close()
        wait_until(lambda: host.gone() == {2}, seconds=20)
        assert first.gone() == frozenset()
        host.close()
        wait_until(lambda: first.gone() == {0}, seconds=20)
        first.close()
