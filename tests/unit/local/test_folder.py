"""A run's folder: one program drives it, and what is written is read back."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.local.conftest import MakeRun
from trainjobs.api.status import RunStatus
from trainjobs.errors import RunInUse, UsageError
from trainjobs.local.folder import RunFolder

HOLD = """
import sys
from pathlib import Path
from trainjobs.local.folder import RunFolder
with RunFolder(Path(sys.argv[1])).locked():
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_run_is_read_back_as_it_was_saved(make_run: MakeRun, tmp_path: Path) -> None:
    folder = RunFolder.of(tmp_path, "RewardModelRun", "r")
    folder.path.mkdir(parents=True)
    run = make_run("r").model_copy(update={"status": RunStatus(attempt=3, phase="Running")})
    folder.save(run)
    folder.save_status(run.status)
    assert folder.load() == run


def test_a_run_that_another_program_drives_is_refused_with_its_process(tmp_path: Path) -> None:
    folder = RunFolder.of(tmp_path, "RewardModelRun", "r")
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(RunInUse, match=f"process {holder.pid}") as refused, folder.locked():
            pass
        assert refused.value.exit_code == 14
        holder.kill()
        holder.wait()
    with folder.locked():
        assert (folder.path / "lock").read_text() != f"{holder.pid}\n"


def test_files_of_another_version_are_refused_with_what_to_do(tmp_path: Path) -> None:
    folder = RunFolder.of(tmp_path, "RewardModelRun", "r")
    folder.path.mkdir(parents=True)
    (folder.path / "run.yaml").write_text("kind: RewardModelRun\nspec: 7\n")
    with pytest.raises(UsageError, match=r"run\.yaml: is not a run of this version .* move the folder away"):
        folder.load()


def test_workspaces_of_older_attempts_are_removed(tmp_path: Path) -> None:
    folder = RunFolder.of(tmp_path, "RewardModelRun", "r")
    for attempt in (1, 2, 3):
        folder.workspace(attempt, 0).mkdir(parents=True)
    folder.drop_workspaces(keep_attempt=2)
    assert [path.name for path in (folder.path / "work").iterdir()] == ["attempt-0002"]


@pytest.mark.parametrize("own_script", [False, True])
def test_work_is_emptied_and_its_logs_are_found_where_they_were_looked_for(
    tmp_path: Path, own_script: bool
) -> None:
    folder = RunFolder.of(tmp_path, "RewardModelRun", "r")
    workspace = folder.workspace(1, 0)
    output = workspace / "output"
    (output / "model").mkdir(parents=True)
    for file in (output / "training.log", workspace / "node.log", output / "report.html"):
        file.write_text(file.name)
    (output / "model" / "model.safetensors").write_text("weights")
    folder.link_log(1, own_script=own_script)

    folder.put_away(keep_report=True)

    assert not (folder.path / "work").exists()
    assert (folder.path / "training.log").read_text() == ("node.log" if own_script else "training.log")
    assert {path.name for path in (folder.path / "logs/attempt-0001/node-0").iterdir()} == {
        "node.log",
        "training.log",
    }
    assert [path.name for path in (folder.path / "report").iterdir()] == ["report.html"]
    folder.put_away(keep_report=True)
    assert (folder.path / "training.log").exists()
