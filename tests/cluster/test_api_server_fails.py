"""The API server goes away while runs train: nothing of them is lost, and nothing is done twice."""

import signal
import time
from collections.abc import Iterator

import pytest

from tests.cluster.operator_fixture import Bench
from tests.cluster.stored import stored, undisturbed

pytestmark = pytest.mark.alone

STEPS = 220
LONG = ("--steps", str(STEPS), "--step-seconds", "0.5", "--save-every", "20")
SHORT = ("--steps", "60", "--step-seconds", "0.5", "--save-every", "20")


@pytest.fixture
def api_again(bench: Bench) -> Iterator[None]:
    """Leave a control plane behind that answers."""
    yield
    cluster = bench.cluster
    for part, start in (("etcd", cluster.restart_etcd), ("kube-apiserver", cluster.start_apiserver)):
        if not cluster.sandbox.alive(part):
            start()


def trains_on(bench: Bench, name: str, what: str) -> None:
    """Wait until the status tells of steps that it had not told before; prints how long that took."""
    begun, step = time.monotonic(), bench.step(name)
    bench.until(name, lambda: bench.step(name) > step, f"news of {name} after {what}", seconds=120)
    print(f"from {what} to news in the status: {time.monotonic() - begun:.1f} s")


def test_etcd_is_restarted_and_the_api_server_is_away_for_a_minute(bench: Bench, api_again):
    for name, script in (("calm", LONG), ("struck", LONG), ("short", SHORT)):
        bench.apply(name, *script)
    for name in ("calm", "struck", "short"):
        bench.until_training(name)
    bench.cluster.restart_etcd()
    trains_on(bench, "calm", "etcd's restart")

    victim = bench.pods("struck")[0]
    before = stored(bench, "struck").newest()
    bench.cluster.stop_apiserver()
    stopped = time.monotonic()
    node = bench.cluster.nodes[victim["spec"]["nodeName"]]
    assert node.signal_pod(victim["metadata"]["uid"], signal.SIGKILL)
    # One of them comes to its end meanwhile.
    time.sleep(60 - (time.monotonic() - stopped))
    bench.cluster.start_apiserver()
    print(f"the API server was away for {time.monotonic() - stopped:.1f} s")
    trains_on(bench, "calm", "the API server's return")

    bench.wait("short", "Succeeded", 60)
    for name in ("calm", "struck"):
        bench.wait(name, "Succeeded", 180)
    for name, attempts in (("calm", 1), ("short", 1), ("struck", 2)):
        status = bench.status(name)
        assert status["attempt"] == attempts, bench.story(name)
        assert (status["restarts"], status["infrastructureRestarts"]) == (attempts - 1, 0)
        assert stored(bench, name).store.verify() == ()
    assert stored(bench, "struck").resumed(2) >= before > 0
    assert stored(bench, "struck").weight() == stored(bench, "calm").weight() == undisturbed(STEPS)
    assert len(bench.cluster.get("pytorchjobs", "-n", bench.namespace)["items"]) == 4
