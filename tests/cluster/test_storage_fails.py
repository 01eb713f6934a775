"""An outage of the storage is said in a condition and costs no attempt; what is due is stored afterwards."""

import time

import pytest

from tests.cluster.operator_fixture import Bench

pytestmark = pytest.mark.alone


@pytest.fixture
def s3_again(bench: Bench):
    """Leave a server behind that runs."""
    yield
    if not bench.cluster.sandbox.alive("versitygw"):
        bench.cluster.s3.start()


def test_training_goes_on_while_storage_is_away_and_its_checkpoints_follow(bench: Bench, s3_again):
    bench.apply("offline", "--steps", "200", "--step-seconds", "0.3", "--save-every", "20")
    bench.until_training("offline")
    before = bench.status("offline")["checkpoints"]["latest"]["step"]
    bench.cluster.s3.kill()
    killed = time.monotonic()

    def said() -> bool:
        return bench.condition("offline", "Synced").get("status") == "False"

    bench.until("offline", said, "the outage to be told", seconds=60)
    print(f"the condition tells of it after {time.monotonic() - killed:.1f} s")
    synced = bench.condition("offline", "Synced")
    assert synced["reason"] == "StorageUnavailable"
    step = bench.step("offline")
    bench.until("offline", lambda: bench.step("offline") > step, "training to go on meanwhile", seconds=60)
    bench.cluster.s3.start()
    bench.until(
        "offline",
        lambda: bench.condition("offline", "Synced")["status"] == "True",
        "storage again",
        seconds=60,
    )
    assert bench.status("offline")["checkpoints"]["latest"]["step"] > before
    bench.wait("offline", "Succeeded", 120)
    status = bench.status("offline")
    assert (status["attempt"], status["restarts"], status["infrastructureRestarts"]) == (1, 0, 0)
