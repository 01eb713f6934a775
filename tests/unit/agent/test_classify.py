import signal
from pathlib import Path

import pytest

from trainjobs.agent.classify import (
    Evidence,
    classify,
    error_class,
    killed_by,
    last_exception,
    last_lines,
    read_failure,
)
from trainjobs.core.outputs import Failure
from trainjobs.errors import Diverged, StorageUnavailable, TrainingError

ROOT_CAUSE = """
Failures:
[1]:
  rank      : 1 (local_rank: 1)
  exitcode  : -15 (pid: 11668)
  traceback : Signal 15 (SIGTERM) received by PID 11668
------------------------------------------------------------
Root Cause (first observed failure):
[0]:
  exitcode  : -9 (pid: 11667)
  traceback : Signal 9 (SIGKILL) received by PID 11667
"""


def evidence(
    tail: str = "", *, returncode: int = 1, failure: Failure | None = None, oom_kills: int = 0, nodes: int = 1
) -> Evidence:
    return Evidence(returncode, tail, failure, oom_kills, nodes, Path("/workspace/output"))


@pytest.mark.parametrize(
    ("what", "reason", "words"),
    [
        (evidence(failure=Failure(reason="Diverged", message="NaN at step 3")), "Diverged", "NaN at step 3"),
        (evidence("torch.OutOfMemoryError: CUDA out of memory."), "AcceleratorOutOfMemory", "CUDA"),
        (evidence("RuntimeError: HIP out of memory. Tried"), "AcceleratorOutOfMemory", "HIP"),
        (evidence("MemoryError"), "HostOutOfMemory", "MemoryError"),
        (
            evidence("RuntimeError: DefaultCPUAllocator: can't allocate memory: you tried"),
            "HostOutOfMemory",
            "DefaultCPUAllocator",
        ),
        (evidence(returncode=-9, oom_kills=1), "HostOutOfMemory", "lack of memory"),
        (evidence(ROOT_CAUSE, oom_kills=2), "HostOutOfMemory", "2 process"),
        (evidence(returncode=-9), "TrainingError", "SIGKILL"),
        (evidence(returncode=-11, oom_kills=1), "TrainingError", "SIGSEGV"),
        (evidence(ROOT_CAUSE), "TrainingError", "SIGKILL"),
        (
            evidence("OSError: [Errno 28] No space left on device: 'x'"),
            "DiskFull",
            "/workspace/output",
        ),
        (
            evidence("torch.distributed.DistNetworkError: The client socket has timed out after 60s"),
            "RendezvousFailed",
            "did not find each other",
        ),
        (
            evidence("RuntimeError: [gloo] Connection closed by peer [10.0.0.2]:1234", nodes=2),
            "RendezvousFailed",
            "another node of the attempt is gone",
        ),
        (
            evidence("RuntimeError: [gloo] Connection closed by peer [127.0.0.1]:1234"),
            "TrainingError",
            "Connection closed by peer",
        ),
        (
            evidence("error: rows.jsonl line 3: not JSON", returncode=11),
            "InvalidData",
            "rows.jsonl line 3: not JSON",
        ),
        (evidence("ValueError: no", returncode=11), "TrainingError", "ValueError: no"),
        (evidence(returncode=5), "TrainingError", "exit code 5"),
    ],
)
def test_an_end_has_one_reason(what, reason, words):
    error = classify(what)
    assert error.reason == reason
    assert words in str(error)


def test_of_a_log_the_last_exception_counts_but_not_torchruns():
    tail = "\n".join(
        [
            "[rank1]: Traceback (most recent call last):",
            '[rank1]:   File "train.py", line 3, in <module>',
            "[rank1]: ValueError: labels have three columns",
            "Traceback (most recent call last):",
            "torch.distributed.elastic.multiprocessing.errors.ChildFailedError: ",
        ]
    )
    assert last_exception(tail) == "ValueError: labels have three columns"
    assert last_exception("all is well: no Error here") == ""


def test_torchrun_says_who_was_first():
    assert killed_by(1, ROOT_CAUSE) == signal.SIGKILL
    assert killed_by(1, "nothing") is None


def test_of_a_progress_bar_the_last_state_stays():
    tail = "start\n  0%|   |\r 50%|## |\r100%|####|\n\nend\n"
    assert last_lines(tail) == "start\n100%|####|\nend"
    assert last_lines("\n".join(str(n) for n in range(50)), count=3) == "47\n48\n49"


def test_a_reason_names_its_error():
    assert error_class("Diverged") is Diverged
    assert error_class("StorageUnavailable") is StorageUnavailable
    assert error_class("SomethingElse") is TrainingError


def test_a_failure_that_cannot_be_read_is_none(tmp_path):
    assert read_failure(tmp_path) is None
    (tmp_path / "failure.json").write_text("{half")
    assert read_failure(tmp_path) is None
