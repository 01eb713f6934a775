"""`trainjobs run` as its users meet it: runs end, stop, go on, and never meet each other."""

import contextlib
import json
import os
import pty
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import LIGHT, PROGRAM, RANKS, Bench
from tests.cli.runs import status, stored, until


def test_a_run_ends_with_its_result_in_storage(bench: Bench) -> None:
    ended = bench.run("run", bench.manifest(script=["--steps", "12"]))
    assert ended.returncode == 0, ended.stderr
    assert "attempt 1" in ended.stderr
    assert "effective batch 16 = 4 per device × 4 accumulation × 1 devices" in ended.stderr
    assert status(bench)["phase"] == "Succeeded"
    assert (bench.place() / "result.json").exists()
    assert "Model   runs/rewardmodelrun/light/artifacts/model-a0001" in ended.stdout


def test_several_nodes_are_several_agents_here_whose_processes_meet(bench: Bench) -> None:
    spec = {"runtime": {"command": [str(RANKS)]}, "topology": {"nodes": 2, "processesPerNode": 2}}
    ended = bench.run("run", bench.manifest("both", spec=spec))
    assert ended.returncode == 0, ended.stderr
    assert "attempt 1, 2 nodes × 2 processes" in ended.stderr
    logs = bench.place("both") / "logs/attempt-0001"
    said = {line for node in (0, 1) for line in (logs / f"node-{node}/node.log").read_text().splitlines()}
    assert said >= {f"rank {rank} of 4: sum 10" for rank in range(4)}


def test_a_run_that_succeeded_is_not_run_again(bench: Bench) -> None:
    manifest = bench.manifest(script=["--steps", "3"])
    assert bench.run("run", manifest).returncode == 0
    again = bench.run("run", manifest)
    assert again.returncode == 0
    assert "light: has succeeded already; --fresh moves it aside and begins anew" in again.stdout
    assert status(bench)["attempt"] == 1
    fresh = bench.run("run", manifest, "--fresh")
    assert fresh.returncode == 0
    assert len(list(bench.place().parent.iterdir())) == 2


def test_ctrl_c_saves_and_the_same_command_goes_on(bench: Bench) -> None:
    manifest = bench.manifest(script=["--steps", "60", "--step-seconds", "0.2", "--save-every", "10"])
    first = bench.start("run", manifest)
    until("the first checkpoint", lambda: stored(bench.place()))
    first.send_signal(signal.SIGINT)
    _, said = first.communicate(timeout=240)
    assert first.returncode == 130
    step = status(bench)["checkpoints"]["latest"]["step"]
    assert f"light: stopped at step {step}; the same command goes on from there" in said
    second = bench.run("run", manifest)
    assert second.returncode == 0, second.stderr
    after = status(bench)
    assert (after["attempt"], after["restarts"], after["infrastructureRestarts"]) == (2, 0, 0)
    assert f"resumed at step {step}" in (bench.place() / "training.log").read_text()


def test_killed_in_the_middle_it_goes_on_from_the_newest_checkpoint_and_leaves_no_process(
    bench: Bench,
) -> None:
    manifest = bench.manifest(script=["--steps", "100", "--step-seconds", "0.1"])
    first = bench.start("run", manifest)
    until("two checkpoints", lambda: len(stored(bench.place())) >= 2)
    first.kill()
    first.communicate()
    until("the end of all its processes", lambda: not processes_of(bench.place()))
    assert stored(bench.place())
    second = bench.run("run", manifest)
    assert second.returncode == 0, second.stderr
    assert "resumed at step" in (bench.place() / "training.log").read_text()


def test_a_damaged_checkpoint_that_is_passed_over_is_told_even_to_the_quiet(bench: Bench) -> None:
    script = ["--steps", "9", "--save-every", "2", "--fail-at", "7"]
    policy = {"runPolicy": {"maxRestarts": 0}, "checkpoints": {"keepLatest": 3}}
    assert bench.run("run", bench.manifest(script=script, spec=policy)).returncode == 23
    weights = bench.place() / "checkpoints/step-00000006-a0001/weights.bin"
    weights.write_bytes(b"v" + weights.read_bytes()[1:])
    (bench.place() / "checkpoints/step-00000004-a0001/MANIFEST.json").write_text("{}")
    ended = bench.run("run", bench.manifest(script=["--steps", "9"], spec=policy), "--quiet")
    assert ended.returncode == 0, ended.stderr
    for step in (4, 6):
        told = f"CheckpointDamaged: checkpoint step-0000000{step}-a0001 is damaged and passed over: "
        assert told in ended.stderr
        assert told.replace(":", "", 1) in (bench.place() / "events.log").read_text()


def test_what_a_run_should_go_on_from_and_is_no_checkpoint_ends_it_at_once(bench: Bench) -> None:
    resume = {"checkpoints": {"resume": {"type": "From", "uri": "file://./base"}}}
    ended = bench.run("run", bench.manifest(spec=resume), "-q")
    assert ended.returncode == 10, ended.stderr
    assert "error: light: InvalidRecipe: node 0 on " in ended.stderr
    assert (
        f": spec.checkpoints.resume.uri: file://{bench.folder}/base: is a checkpoint of Hugging"
        in ended.stderr
    )
    assert status(bench)["attempt"] == 1


def processes_of(place: Path) -> list[str]:
    """Command lines of processes that work below a folder."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = file.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(place) in line and "pytest" not in line:
            found.append(line)
    return found


def test_an_error_of_the_run_is_tried_again_as_often_as_it_may_and_then_told(bench: Bench) -> None:
    manifest = bench.manifest(
        script=["--steps", "9", "--save-every", "3", "--fail-at", "5"],
        spec={"runPolicy": {"maxRestarts": 1}},
    )
    ended = bench.run("run", manifest)
    assert ended.returncode == 23
    assert "error: light: TrainingError: " in ended.stderr
    assert "the gradient went for a walk" in ended.stderr
    after = status(bench)
    assert (after["attempt"], after["restarts"], after["phase"]) == (2, 1, "Failed")
    assert "step-00000003-a0001" in stored(bench.place())


def test_on_a_terminal_the_bar_goes_away_before_how_it_ended_is_said(bench: Bench) -> None:
    manifest = bench.manifest(
        script=["--steps", "9", "--fail-at", "5"], spec={"runPolicy": {"maxRestarts": 0}}
    )
    shown = on_a_terminal(bench, "run", manifest)
    assert any("attempt 1, 1 node" in line for line in shown)
    assert any(re.match(r"(Starting|Launching|Training) +━", line) for line in shown), shown
    assert any(line.startswith("error: light: TrainingError: ") for line in shown), shown


def on_a_terminal(bench: Bench, *arguments: str | Path) -> list[str]:
    """What `trainjobs …` draws on a terminal: what stands on a line between two returns to its beginning."""
    ours, theirs = pty.openpty()
    program = subprocess.Popen(
        [*PROGRAM, *map(str, arguments)], cwd=bench.folder, stdin=theirs, stdout=theirs, stderr=theirs,
        env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "200"},
    )  # fmt: skip
    os.close(theirs)
    drawn = b""
    # At the program's end the read fails: nobody holds the other side any more.
    with contextlib.suppress(OSError):
        while chunk := os.read(ours, 65536):
            drawn += chunk
    os.close(ours)
    program.wait()
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", drawn.decode(errors="replace"))
    return re.split(r"[\r\n]+", plain)


def test_what_failed_is_tried_again_by_the_same_command_from_its_checkpoint(bench: Bench) -> None:
    policy = {"runPolicy": {"maxRestarts": 0}}
    manifest = bench.manifest(script=["--steps", "9", "--save-every", "3", "--fail-at", "5"], spec=policy)
    assert bench.run("run", manifest).returncode == 23
    again = bench.run("run", manifest)
    assert again.returncode == 23
    assert status(bench)["attempt"] == 2
    assert "resumed at step 3" in (bench.place() / "work/attempt-0002/node-0/node.log").read_text()


def test_two_programs_never_drive_one_run(bench: Bench) -> None:
    manifest = bench.manifest(script=["--steps", "5000", "--step-seconds", "0.2"])
    first = bench.start("run", manifest)
    until("the start", lambda: (bench.place() / "status.json").exists())
    second = bench.run("run", manifest)
    assert second.returncode == 14
    assert f"driven by another trainjobs (process {first.pid})" in second.stderr
    assert first.poll() is None


def test_what_a_run_that_succeeded_made_is_kept_once_and_its_logs_stay(bench: Bench) -> None:
    assert bench.run("run", bench.manifest(script=["--steps", "12"])).returncode == 0
    assert stored(bench.place())
    assert not (bench.place() / "work").exists()
    assert "saved step 10" in (bench.place() / "training.log").read_text()
    assert (bench.place() / "logs/attempt-0001/node-0/agent.log").stat().st_size


@pytest.mark.parametrize(
    ("spec", "log"),
    [
        ({}, "training.log"),
        ({"baseModel": {"uri": "file:///nowhere"}}, "work/attempt-0001/node-0/agent.log"),
    ],
    ids=["in training", "before it"],
)
def test_the_log_that_a_failed_run_names_is_there_and_says_why(
    bench: Bench, spec: dict[str, object], log: str
) -> None:
    policy = {"runPolicy": {"maxRestarts": 0}}
    manifest = bench.manifest(script=["--fail-at", "2"], spec={**policy, **spec})
    said = bench.run("run", manifest).stderr
    named = next(line.removeprefix("  log: ") for line in said.splitlines() if line.startswith("  log: "))
    assert named == f"runs/rewardmodelrun/light/{log}"
    assert re.search(r"went for a walk|nowhere", (bench.folder / named).read_text())


def test_a_smoke_of_a_users_own_script_is_refused(bench: Bench) -> None:
    ended = bench.run("run", bench.manifest(), "--smoke")
    assert ended.returncode == 2
    assert "--smoke: light runs a script of your own (spec.runtime.command)" in ended.stderr


def test_a_folder_is_run_in_the_order_of_dependencies(bench: Bench) -> None:
    from_first = {"baseModel": {"fromRun": {"kind": "RewardModelRun", "name": "z-first"}}}
    bench.manifest("a-second", script=["--steps", "3"], spec=from_first)
    bench.manifest("z-first", script=["--steps", "3"])
    ended = bench.run("run", bench.folder, "--output", "json")
    assert ended.returncode == 0, ended.stderr
    results = json.loads(ended.stdout)
    assert [result["name"] for result in results] == ["z-first", "a-second"]
    pinned = results[1]["status"]["dependencies"]
    assert pinned[0]["uri"].endswith("/runs/rewardmodelrun/z-first/artifacts/model-a0001")


def test_what_starts_from_a_failed_run_fails_with_the_reason(bench: Bench) -> None:
    policy = {"runPolicy": {"maxRestarts": 0}}
    from_first = {"baseModel": {"fromRun": {"kind": "RewardModelRun", "name": "z-first"}}}
    bench.manifest("a-second", spec=from_first)
    bench.manifest("z-first", script=["--fail-at", "2"], spec=policy)
    ended = bench.run("run", bench.folder)
    assert ended.returncode == 23
    assert status(bench, "a-second")["phase"] == "Failed"
    assert status(bench, "a-second")["attempt"] == 0
    assert "DependencyFailed" in ended.stderr


ONE_DIMENSION = {"dimensions": [{"name": "accuracy"}]}


@pytest.mark.parametrize(
    ("change", "code", "said"),
    [
        ({"baseModel": {"uri": "file://./nowhere"}}, 12, "nowhere"),
        ({"dataset": {"train": "file://./no.jsonl"}}, 11, "no.jsonl"),
        ({"baseModel": {"uri": "file:///a/../up"}}, 10, "'..' is not allowed"),
        ({"topology": {"nodes": 0}}, 10, "spec.topology.nodes: 0 is not allowed"),
        (
            {"topology": {"nodes": "two"}},
            10,
            "spec.topology.nodes: 'two' is not allowed; give a whole number",
        ),
        ({"epochs": 3}, 10, "spec.epochs: there is no such field here; did you mean spec.training.epochs?"),
        (
            {"objective": {"type": "Regression", "regression": ONE_DIMENSION, "pairwise": {}}},
            10,
            "spec.objective.pairwise: only allowed with spec.objective.type Pairwise",
        ),
    ],
)
def test_bad_input_ends_with_one_line_and_its_own_code(
    bench: Bench, change: dict[str, object], code: int, said: str
) -> None:
    ended = bench.run("run", bench.manifest(spec=change))
    assert ended.returncode == code, ended.stderr
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr
    assert sum(line.startswith("error: ") for line in ended.stderr.splitlines()) == 1, ended.stderr


PRINTS = "print('训练 × \\udcff', flush=True)\n"


@pytest.mark.parametrize(
    "environment",
    [{"PYTHONIOENCODING": "ascii"}, {"PYTHONIOENCODING": "gbk"}, {"LC_ALL": "C"}],
    ids=["ascii", "gbk", "C"],
)
def test_no_encoding_of_a_terminal_fails_a_run(bench: Bench, environment: dict[str, str]) -> None:
    script = bench.folder / "prints.py"
    script.write_text(PRINTS + LIGHT.read_text(), encoding="utf-8")
    spec = {"runtime": {"command": [str(script), "--steps", "3"]}}
    command = ["run", bench.manifest(spec=spec), "--root", "运行 ⚙"]
    ended = bench.run(*command, **environment)
    assert ended.returncode == 0, ended.stderr
    assert "Model  " in ended.stdout
    log = next(bench.folder.glob("*/*/light/training.log")).read_text(encoding="utf-8")
    assert "训练 ×" in log


def test_a_file_called_like_a_library_is_not_that_library(bench: Bench) -> None:
    for name in ("trainjobs", "pydantic", "obstore"):
        (bench.folder / f"{name}.py").write_text("raise RuntimeError('an impostor')")
    installed = Path(sys.executable).with_name("trainjobs")
    command = [installed, "run", bench.manifest(script=["--steps", "3"])]
    ended = subprocess.run(command, cwd=bench.folder, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr


def test_a_run_goes_on_when_nobody_reads_what_it_prints(bench: Bench) -> None:
    manifest = bench.manifest(script=["--steps", "12"])
    piped = f"{{ {shlex.join(PROGRAM)} run {manifest} 2>&1; echo $? > code; }} | head -n 1"
    subprocess.run(["sh", "-c", piped], cwd=bench.folder, check=True, capture_output=True)
    assert (bench.folder / "code").read_text() == "0\n"
    assert status(bench)["phase"] == "Succeeded"
