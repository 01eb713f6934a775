import gzip
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.unit.core.plan.builders import a_run
from trainjobs.api.conditions import ConditionType
from trainjobs.api.runs import KINDS, Run
from trainjobs.api.status import Condition, RunStatus
from trainjobs.cli.logs import app
from trainjobs.cli.run_names import RunName, run_name
from trainjobs.core.checkpoints.layout import log_key
from trainjobs.core.uris import file_uri
from trainjobs.errors import UsageError
from trainjobs.local.folder import RunFolder
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
    with pytest.raises(UsageError, match="no log of attempt 1 node 1; it has attempt 1 node 0, attempt 2"):
        CliRunner().invoke(app, [str(run_folder), "--attempt", "1", "--node", "1"], catch_exceptions=False)


def test_an_attempt_that_never_came_to_storage_is_read_where_its_agent_wrote(tmp_path: Path) -> None:
    log = tmp_path / "work" / "attempt-0001" / "node-0" / "agent.log"
    log.parent.mkdir(parents=True)
    log.write_text("AccessDenied\n")

    assert CliRunner().invoke(app, [str(tmp_path)]).output == "AccessDenied\n"


def test_the_whole_log_of_a_run_that_has_succeeded_is_read_where_it_was_put_away(run_folder: Path) -> None:
    log = run_folder / "logs" / "attempt-0002" / "node-0" / "agent.log"
    log.parent.mkdir(parents=True)
    log.write_text("all of it\n")

    assert CliRunner().invoke(app, [str(run_folder)]).output == "all of it\n"


@pytest.mark.parametrize(
    ("count", "text"), [(0, ""), (1, "three"), (2, "two\nthree"), (9, "one\ntwo\nthree")]
)
def test_the_last_lines_are_shown(run_folder: Path, count: int, text: str) -> None:
    open_store(file_uri(run_folder)).put(log_key(2, 0), gzip.compress(b"one\ntwo\nthree"))

    assert CliRunner().invoke(app, [str(run_folder), "--tail", str(count)]).output == text


def test_a_followed_run_that_has_failed_is_shown_to_its_end(run_folder: Path) -> None:
    folder = RunFolder(run_folder)
    finished = Condition(
        type=ConditionType.FINISHED, status="True", reason="Failed", last_transition_time=datetime.now(UTC)
    )
    folder.save(a_run())
    folder.save_status(RunStatus(attempt=2, conditions=[finished]))

    assert CliRunner().invoke(app, [str(run_folder), "--follow"]).output == "attempt 2 of node 0\n"


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_of_a_cluster_is_named_as_kubectl_names_it(kind: type[Run]) -> None:
    singular = kind.__name__.lower()
    words = (kind.__name__, singular, kind.plural, kind.short_name, f"{singular}.trainjobs.dev")

    assert {run_name(f"{word}/a", in_cluster=False) for word in words} == {RunName(kind.__name__, "a")}


@pytest.mark.parametrize(
    "target", ["rewardmodelrun", "rewardmodelrun/", "rewardmodelrun/a/b", "pods/a", "s3://bucket/a", "runs/a"]
)
def test_what_names_no_run_of_a_cluster_is_a_place(target: str) -> None:
    assert run_name(target, in_cluster=False) is None
    with pytest.raises(UsageError, match="name it as rewardmodelrun/NAME"):
        run_name(target, in_cluster=True)


def test_a_folder_that_is_here_goes_before_a_run_of_a_cluster(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sftrun" / "chat").mkdir(parents=True)

    assert run_name("sftrun/chat", in_cluster=False) is None
    assert run_name("sftrun/chat", in_cluster=True) == RunName("SFTRun", "chat")


def test_a_followed_run_that_is_finished_is_shown_to_its_end(run_folder: Path) -> None:
    open_store(file_uri(run_folder)).put("result.json", b"{}")

    assert CliRunner().invoke(app, [str(run_folder), "--follow"]).output == "attempt 2 of node 0\n"


def test_the_logs_that_storage_holds_are_listed(run_folder: Path) -> None:
    shown = CliRunner().invoke(app, [str(run_folder), "--output", "json"])

    assert '"attempt": 2' in shown.output
