"""A run in Kueue's hands waits, trains, makes room, and goes on from where it was.

Kueue itself is no part of the test's cluster. What it does to a job is known and small: it lifts `suspend`
when it admits one, and sets it again when it needs the room. The test does that in its place; what Kueue
decides, and when, is not tried here.
"""

import json
from typing import Any

from tests.cluster.bench import Bench

QUEUE = "team"
SCRIPT = ("--steps", "120", "--step-seconds", "0.25", "--save-every", "8")


def job(bench: Bench, attempt: int) -> dict[str, Any]:
    """The job of an attempt; empty while there is none."""
    selector = f"trainjobs.dev/attempt={attempt}"
    found = bench.cluster.get("pytorchjobs", "-n", bench.namespace, "-l", selector)["items"]
    return found[0] if found else {}


def suspended(bench: Bench, attempt: int, suspend: bool) -> None:
    """Do to a job what Kueue does when it admits or preempts it."""
    change = json.dumps({"spec": {"runPolicy": {"suspend": suspend}}})
    name = job(bench, attempt)["metadata"]["name"]
    bench.kubectl("patch", "pytorchjob", name, "--type=merge", "-p", change)


def queued(bench: Bench, attempt: int) -> None:
    """Wait until an attempt waits for its queue: a job with its label, suspended, without pods."""

    def found() -> bool:
        status = bench.status("patient")
        return status.get("attempt") == attempt and status.get("phase") == "Queued"

    bench.until("patient", found, f"attempt {attempt} to be queued")
    created = job(bench, attempt)
    assert created["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == QUEUE
    assert created["spec"]["runPolicy"]["suspend"] is True
    assert bench.pods("patient", attempt) == []
    assert bench.condition("patient", "Scheduled")["reason"] == "Queued"


def test_a_queued_run_trains_when_admitted_and_resumes_after_a_preemption(bench: Bench):
    bench.apply("patient", *SCRIPT, spec={"runPolicy": {"queueName": QUEUE}})
    queued(bench, 1)
    suspended(bench, 1, False)
    bench.until_training("patient")
    saved = bench.status("patient")["checkpoints"]["latest"]["step"]
    suspended(bench, 1, True)
    queued(bench, 2)
    status = bench.status("patient")
    assert status["failure"]["reason"] == "Preempted"
    assert (status.get("restarts", 0), status["infrastructureRestarts"]) == (0, 1)
    suspended(bench, 2, False)
    bench.until("patient", lambda: "resumed at step" in bench.log_or_none("patient", 2), "the resume")
    resumed = int(bench.log("patient", 2).split("resumed at step ")[1].split()[0].rstrip('",}'))
    assert resumed >= saved
    bench.wait("patient", "Succeeded", 120)
    assert bench.status("patient")["attempt"] == 2
    assert "Queued" in bench.events("patient")
