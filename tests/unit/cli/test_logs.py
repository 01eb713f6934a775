import gzip
from pathlib import Path

import pytest
from typer.testing import CliRunner

from trainjobs.cli.logs import app
from trainjobs.core.checkpoints.layout import log_key
from trainjobs.core.uris import file_uri
from trainjobs.errors import UsageError
from trainjobs.storage.opening import open_store


@pytest.fixture
def run_folder(tmp_path: Path) -> Path:
    """A run with the logs of two attempts, the second of two nodes."""
    store = open_store(file_uri(tmp_path))
    store.put("attempts/0001.json", b"{}")
    for attempt, node in ((1, 0), (2, 0), (2, 1)):
        store.put(log_key(attempt, node), gzip.compress(f"attempt {attempt} of node {node}\n".encode()))
    return tmp_path


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ([], "attempt 2 of node 0\n"),
        (["--attempt", "1"], "attempt 1 of node 0\n"),
        (["--node", "1"], "attempt 2 of node 1\n"),
    ],
)
def test_the_log_of_a_node_is_shown_from_storage(run_folder: Path, options: list[str], text: str) -> None:
    shown = CliRunner().invoke(app, [file_uri(run_folder), *options])

    assert shown.output == text


def test_an_agent_that_works_here_is_read_where_it_writes(run_folder: Path) -> None:
    log = run_folder / "work" / "attempt-0003" / "node-0" / "agent.log"
    log.parent.mkdir(parents=True)
    log.write_text("still at it\n")

    assert CliRunner().invoke(app, [str(run_folder)]).output == "still at it\n"


def test_a_log_that_is_not_there_is_answered_by_those_that_are(run_folder: Path) -> None:
    with pytest.raises(UsageError, match="no log of attempt 1, node 1; it has attempt 1 node 0, attempt 2"):
        CliRunner().invoke(app, [str(run_folder), "--attempt", "1", "--node", "1"], catch_exceptions=False)


def test_a_followed_run_that_is_finished_is_shown_to_its_end(run_folder: Path) -> None:
    open_store(file_uri(run_folder)).put("result.json", b"{}")

    assert CliRunner().invoke(app, [str(run_folder), "--follow"]).output == "attempt 2 of node 0\n"


def test_the_logs_that_storage_holds_are_listed(run_folder: Path) -> None:
    shown = CliRunner().invoke(app, [str(run_folder), "--output", "json"])

    assert '"attempt": 2' in shown.output
