"""What clusters do to pods costs an attempt, not the training: the next goes on from the last checkpoint."""

import json
import re
import signal
import time
from datetime import datetime

from tests.cluster.bench import Bench
from tests.cluster.stored import stored, undisturbed

LONG = ("--steps", "120", "--step-seconds", "0.25", "--save-every", "8")


def ends_well(bench: Bench, name: str) -> None:
    """The run, whose second attempt resumed, comes to the end that an undisturbed one has."""
    bench.wait(name, "Succeeded", 150)
    status = bench.status(name)
    assert status["attempt"] == 2
    assert status["progress"]["step"] == 120
    assert stored(bench, name).weight() == undisturbed(120)
    assert stored(bench, name).resumed(2) > 0


def next_checkpoint(bench: Bench, name: str) -> None:
    """Wait until the second attempt has made steps and saved; prints how long that took."""
    begun = time.monotonic()
    bench.until(name, lambda: "resumed at step" in bench.log_or_none(name, 2), "the resume")
    resumed = time.monotonic() - begun
    bench.until(name, lambda: "saved step" in bench.log_or_none(name, 2), "a step of the second attempt")
    print(f"{name}: {resumed:.1f} s to the resume, {time.monotonic() - begun:.1f} s to a checkpoint")


def test_a_killed_training_process_costs_a_restart(bench: Bench):
    bench.apply("killed", *LONG)
    pod = bench.until_training("killed")
    assert bench.signal_training(pod, signal.SIGKILL) == 1
    next_checkpoint(bench, "killed")
    status = bench.status("killed")
    assert (status["restarts"], status.get("infrastructureRestarts", 0)) == (1, 0)
    assert status["failure"]["reason"] == "TrainingError"
    assert "SIGKILL" in status["failure"]["message"]
    ends_well(bench, "killed")


def test_a_deleted_pod_costs_an_infrastructure_restart(bench: Bench):
    bench.apply("robbed", *LONG)
    pod = bench.until_training("robbed")
    bench.kubectl("delete", "pod", pod["metadata"]["name"], "--wait=false")
    next_checkpoint(bench, "robbed")
    status = bench.status("robbed")
    assert (status.get("restarts", 0), status["infrastructureRestarts"]) == (0, 1)
    assert status["failure"]["reason"] == "PodLost"
    ends_well(bench, "robbed")


def test_a_training_that_stands_still_is_noticed_and_goes_on(bench: Bench):
    bench.apply("stuck", *LONG, spec={"runPolicy": {"hangTimeoutSeconds": 10}})
    pod = bench.until_training("stuck")
    assert bench.signal_training(pod, signal.SIGSTOP) == 1
    stopped = time.time()
    next_checkpoint(bench, "stuck")
    status = bench.status("stuck")
    assert (status["restarts"], status.get("infrastructureRestarts", 0)) == (1, 0)
    assert status["failure"]["reason"] == "Hang"
    [said] = [line for line in bench.log("stuck", 1).splitlines() if "training hangs" in line]
    noticed = datetime.fromisoformat(json.loads(said)["time"]).timestamp() - stopped
    print(f"a hang of 10 s is noticed after {noticed:.1f} s")
    assert noticed < 10 + 5
    # Python's faulthandler says where in the script it was.
    assert re.search(r'File "/scripts/trains.py", line \d+ in <module>', bench.log("stuck", 1))
    ends_well(bench, "stuck")
