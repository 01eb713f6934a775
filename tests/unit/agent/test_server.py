"""The agent's server on a port that the whole cluster may reach: training is heard whoever else comes."""

import http.client
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.unit.core.plan.builders import a_plan
from trainjobs.agent.server import AgentServer
from trainjobs.agent.status import Status

STRANGER = "127.0.0.2"
CROWD = 16
TRIES = 1000


@pytest.fixture
def server(tmp_path: Path) -> Iterator[AgentServer]:
    status = Status(a_plan().recipe, attempt=1, node_rank=0)
    server = AgentServer(status, host="0.0.0.0", port=0, token_file=tmp_path / "token")
    yield server
    server.close()


def ask(server: AgentServer, method: str, path: str, source: str = "127.0.0.1") -> int:
    """The status that is answered; 0 where the connection ends without one."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30, source_address=(source, 0))
    token = Path(server.environment()["KUBEFLOW_TRAINER_SERVER_TOKEN"]).read_text()
    try:
        headers = {"Authorization": f"Bearer {token}"}
        connection.request(method, path, body=b'{"trainerStatus": {}}', headers=headers)
        return connection.getresponse().status
    except (ConnectionError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


def test_metrics_are_for_everybody_and_progress_is_told_from_here(server: AgentServer) -> None:
    assert [ask(server, "GET", "/metrics", source) for source in ("127.0.0.1", STRANGER)] == [200, 200]
    assert [ask(server, "POST", "/progress", source) for source in ("127.0.0.1", STRANGER)] == [200, 404]


def test_a_crowd_of_strangers_keeps_nobody_here_from_being_heard(server: AgentServer) -> None:
    with ExitStack() as crowd:
        for _ in range(CROWD):
            # Each says nothing, and keeps a thread.
            crowd.enter_context(
                socket.create_connection(("127.0.0.1", server.port), source_address=(STRANGER, 0))
            )
        assert 0 in (ask(server, "GET", "/healthz", STRANGER) for _ in range(TRIES))
        assert ask(server, "POST", "/progress") == 200
        assert ask(server, "GET", "/healthz") == 200
    assert 200 in (ask(server, "GET", "/healthz", STRANGER) for _ in range(TRIES))
