"""Watches break while the API server serves everybody: what happens meanwhile is seen all the same."""

import time

import pytest

from tests.cluster.bench import Bench
from tests.cluster.operator_pods import leader
from tests.cluster.stored import stored, undisturbed
from tests.cluster.watches import Watches, watches_of
from trainjobs.controller.events import CHILDREN
from trainjobs.kube.resources import RUNS

# Beside: of a shared cluster's operator others would hear late.
pytestmark = [pytest.mark.beside, pytest.mark.usefixtures("own_cluster")]

STEPS = 300
SCRIPT = ("--steps", str(STEPS), "--step-seconds", "0.25", "--save-every", "8")
TIMES = 2


def watching(bench: Bench) -> Watches:
    """The leader's watches: one for each kind of object, and no other connection."""
    found = watches_of(bench, leader(bench))
    assert len(found.ports) == len(RUNS) + len(CHILDREN)
    return found


def has_a_job(bench: Bench, name: str, seconds: float) -> float:
    """Wait for a new run's job; how long that took. Nobody tells of the run but a watch, or a look at all."""
    begun = time.monotonic()
    bench.until(name, lambda: bench.status(name).get("job"), f"a job of {name}", seconds)
    return time.monotonic() - begun


def test_watches_that_are_cut_or_fall_silent_hide_nothing(bench: Bench):
    first = leader(bench)
    bench.apply("watched", *SCRIPT)
    bench.until_training("watched")
    for number in range(1, TIMES + 1):
        watches = watching(bench)
        pod = bench.pods("watched", number)[0]["metadata"]["name"]
        bench.kubectl("delete", "pod", pod, "--wait=false")
        assert watches.cut() == len(watches.ports)
        bench.apply(f"new-{number}", "--steps", "5")
        took = has_a_job(bench, f"new-{number}", seconds=20)
        print(f"watches cut: a run that is applied in that moment has its job after {took:.1f} s")
        bench.until_training("watched", number + 1)

    watches = watching(bench)
    with watches.silenced():
        bench.apply("unheard", "--steps", "5")
        took = has_a_job(bench, "unheard", seconds=150)
        print(f"watches silent: a run that is applied then has its job after {took:.1f} s")
        bench.wait("unheard", "Succeeded", 60)
    for name in ("watched", *(f"new-{number}" for number in range(1, TIMES + 1))):
        bench.wait(name, "Succeeded", 180)
    assert stored(bench, "watched").weight() == undisturbed(STEPS)
    assert stored(bench, "watched").store.verify() == ()
    status = bench.status("watched")
    assert (status["attempt"], status["restarts"]) == (TIMES + 1, 0)
    # One operator saw all of it: its Lease and its other requests went their way.
    assert leader(bench) == first
    # The job of an attempt that lost its pod is gone: each run has one.
    jobs = bench.cluster.get("pytorchjobs", "-n", bench.namespace)["items"]
    assert len(jobs) == len(bench.cluster.get(bench.kind, "-n", bench.namespace)["items"])
