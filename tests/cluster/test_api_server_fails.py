"""The API server goes away while runs train: nothing of them is lost, and nothing is done twice."""

import signal
import time
from collections.abc import Iterator

import pytest

from tests.cluster.bench import Bench
from tests.cluster.stored import stored, undisturbed

pytestmark = [pytest.mark.alone, pytest.mark.usefixtures("own_cluster")]

# One trains through it all, one is struck while nobody can see it, one comes to its end meanwhile.
STEPS = {"calm": 240, "struck": 120, "short": 60}


@pytest.fixture
def api_again(bench: Bench) -> Iterator[None]:
    """Leave a control plane behind that answers."""
    yield
    cluster = bench.own
    for part, start in (("etcd", cluster.restart_etcd), ("kube-apiserver", cluster.start_apiserver)):
        if not cluster.sandbox.alive(part):
            start()


def apply(bench: Bench, name: str) -> None:
    seconds = "0.25" if name == "struck" else "0.5"
    bench.apply(name, "--steps", str(STEPS[name]), "--step-seconds", seconds, "--save-every", "10")


def trains_on(bench: Bench, name: str, what: str) -> None:
    """Wait until the status tells of steps that it had not told before; prints how long that took."""
    begun, step = time.monotonic(), bench.step(name)
    bench.until(name, lambda: bench.step(name) > step, f"news of {name} after {what}", seconds=120)
    print(f"from {what} to news in the status: {time.monotonic() - begun:.1f} s")


def test_etcd_is_restarted_and_the_api_server_is_away_for_a_minute(bench: Bench, api_again):
    apply(bench, "calm")
    bench.until_training("calm")
    bench.own.restart_etcd()
    trains_on(bench, "calm", "etcd's restart")

    for name in ("short", "struck"):
        apply(bench, name)
    for name in ("short", "struck"):
        victim = bench.until_training(name)
    before = stored(bench, "struck").newest()
    bench.own.stop_apiserver()
    stopped = time.monotonic()
    node = bench.own.nodes[victim["spec"]["nodeName"]]
    assert node.signal_pod(victim["metadata"]["uid"], signal.SIGKILL)
    # As long as an outage is to be.
    time.sleep(60 - (time.monotonic() - stopped))
    bench.own.start_apiserver()
    print(f"the API server was away for {time.monotonic() - stopped:.1f} s")
    trains_on(bench, "calm", "the API server's return")

    for name in ("short", "calm", "struck"):
        bench.wait(name, "Succeeded", 150)
    for name, attempts in (("calm", 1), ("short", 1), ("struck", 2)):
        status = bench.status(name)
        assert status["attempt"] == attempts, bench.story(name)
        assert (status["restarts"], status["infrastructureRestarts"]) == (attempts - 1, 0)
        assert stored(bench, name).store.verify() == ()
        assert stored(bench, name).weight() == undisturbed(STEPS[name])
    assert stored(bench, "struck").resumed(2) >= before > 0
    assert len(bench.cluster.get("pytorchjobs", "-n", bench.namespace)["items"]) == 4
