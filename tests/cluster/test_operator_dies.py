"""Runs outlive the operator: pods train on without it, and a replica takes up where it was."""

import random
import signal
import time

import pytest

from tests.cluster.bench import NAMESPACE, Bench
from tests.cluster.operator_pods import free_lease, kill, leader, operator_pods, scaled
from tests.cluster.stored import stored, undisturbed

pytestmark = pytest.mark.alone

SCRIPT = ("--steps", "80", "--step-seconds", "0.25", "--save-every", "20")


@pytest.fixture
def whole_again(bench: Bench):
    """Leave two replicas behind, which serve."""
    yield
    scaled(bench, 2)


@pytest.mark.usefixtures("own_cluster")
def test_when_the_leader_is_killed_the_other_replica_goes_on_within_20_seconds(bench: Bench, whole_again):
    bench.apply("before", *SCRIPT)
    bench.until_training("before")
    kill(bench, operator_pods(bench)[leader(bench)])
    killed = time.monotonic()
    bench.apply("after", *SCRIPT)
    bench.until("after", lambda: bench.status("after").get("job"), "a job by the other replica", seconds=30)
    print(f"from the leader's death to the next run's job: {time.monotonic() - killed:.1f} s")
    assert time.monotonic() - killed < 20
    for name in ("before", "after"):
        bench.wait(name, "Succeeded", 120)
        assert bench.status(name)["attempt"] == 1
    assert len(bench.cluster.get("pytorchjobs", "-n", bench.namespace)["items"]) == 2


def test_a_training_that_ends_while_no_operator_runs_has_succeeded_when_one_comes_back(
    bench: Bench, whole_again
):
    bench.apply("alone", *SCRIPT)
    bench.until_training("alone")
    scaled(bench, 0)
    ended = lambda: {pod["status"]["phase"] for pod in bench.pods("alone")} == {"Succeeded"}  # noqa: E731
    bench.until("alone", ended, "the pod to end by itself")
    assert bench.status("alone")["phase"] == "Running"
    scaled(bench, 2)
    bench.wait("alone", "Succeeded", 60)
    status = bench.status("alone")
    assert (status["attempt"], status["restarts"], status["infrastructureRestarts"]) == (1, 0, 0)
    assert status["progress"]["step"] == 80


def until_somebody_leads(bench: Bench, name: str) -> str:
    """Wait for a leader that lives; its pod."""
    return bench.until(name, lambda: operator_pods(bench).keys() & {leader(bench)}, "a leader", 60).pop()


def kill_leader(bench: Bench, name: str) -> None:
    """Kill the replica that leads, and let the next one begin at once: how long that takes is shown above.

    Its pod goes with it: a kubelet waits ever longer before it starts again what is killed again and again.
    """
    pod = operator_pods(bench)[until_somebody_leads(bench, name)]
    kill(bench, pod)
    free_lease(bench)
    force = ("--grace-period=0", "--force", "--wait=false")
    bench.cluster.try_kubectl("delete", "pod", pod["metadata"]["name"], "-n", NAMESPACE, *force)


# Between which kills something happens to which attempt of two of the runs.
ROBBED, STRUCK = {4: 1, 9: 2, 14: 3}, {6: 1, 13: 2}


def disturb(bench: Bench, number: int) -> None:
    """Give the operator something to do, now and then: a pod is deleted, a training process killed."""
    if number in ROBBED:
        running = bench.until("robbed", lambda: running_pods(bench, "robbed", ROBBED[number]), "its pod")
        bench.kubectl("delete", "pod", running[0]["metadata"]["name"], "--wait=false")
    if number in STRUCK:

        def struck() -> int:
            running = running_pods(bench, "struck", STRUCK[number])
            return bench.signal_training(running[0], signal.SIGKILL) if running else 0

        bench.until("struck", struck, "its training process")


def running_pods(bench: Bench, name: str, attempt: int) -> list[dict]:
    return [pod for pod in bench.pods(name, attempt) if pod["status"]["phase"] == "Running"]


@pytest.mark.usefixtures("own_cluster")
def test_an_operator_that_is_killed_at_twenty_moments_loses_nothing_and_does_nothing_twice(
    bench: Bench, whole_again
):
    moments = random.Random(20)
    steps = 200
    script = ("--steps", str(steps), "--step-seconds", "0.3", "--save-every", "10")
    scaled(bench, 3)
    columns = "custom-columns=NAME:.metadata.name,UID:.metadata.uid"
    jobs = ("get", "pytorchjobs", "-n", bench.namespace, "--watch", "--no-headers", "-o", columns)
    with bench.cluster.watch_kubectl(*jobs) as watching:
        bench.apply("calm", *script)
        bench.until_training("calm")
        begun = time.monotonic()
        for number in range(20):
            if number < 2:
                bench.apply(("robbed", "struck")[number], *script)
            until_somebody_leads(bench, "calm")
            time.sleep(moments.uniform(0, 3))
            disturb(bench, number)
            kill_leader(bench, "calm")
        print(f"killed 20 times in {time.monotonic() - begun:.0f} s")
        for name in ("calm", "robbed", "struck"):
            bench.wait(name, "Succeeded", 180)
        watching.terminate()
        ever = {tuple(line.split()) for line in watching.communicate()[0].splitlines()}
    for name, attempts in (("calm", 1), ("robbed", 4), ("struck", 3)):
        status = bench.status(name)
        assert status["attempt"] == attempts, bench.story(name)
        assert status["restarts"] == (2 if name == "struck" else 0)
        assert (status["infrastructureRestarts"] > 0) == (name == "robbed")
        assert stored(bench, name).weight() == undisturbed(steps)
        # A pod may be taken before its agent has claimed the attempt.
        claimed = stored(bench, name).store.attempts.numbers()
        assert {1, attempts} <= set(claimed) <= set(range(1, attempts + 1))
    # One job for each attempt, and none of a name that another had.
    assert len({name for name, _ in ever}) == len(ever) == 8
