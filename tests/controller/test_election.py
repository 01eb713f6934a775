"""Two replicas: one works, the other takes over, and who has lost the lease writes no more."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.controller.operator_process import Operator, wait_for
from tests.controller.world import World, run

QUICK = {"leaseSeconds": 10, "renewDeadlineSeconds": 7, "retrySeconds": 0.5}
# Longer than any test waits: who takes over has been given the lease.
NEVER_EXPIRES = {"leaseSeconds": 3600, "renewDeadlineSeconds": 3000, "retrySeconds": 0.5}


@pytest.fixture
def replicas(
    operator: Operator, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[tuple[Operator, Operator]]:
    other = Operator(operator.plane, operator.namespace, tmp_path / "other")
    for one in (operator, other):
        one.settings = {"leaderElection": getattr(request, "param", QUICK)}
        one.launch()
    wait_for(lambda: operator.ready() and other.ready(), "both replicas to be ready")
    yield operator, other
    other.kill()


def leader(replicas: tuple[Operator, Operator]) -> Operator:
    """The replica that leads, and the only one."""
    found = wait_for(
        lambda: [one for one in replicas if one.running and one.metric("trainjobs_leader") == 1],
        "a leader",
    )
    assert len(found) == 1
    return found[0]


def test_a_standby_is_ready_and_only_the_leader_works(replicas: tuple[Operator, Operator], world: World):
    first = leader(replicas)
    second = next(one for one in replicas if one is not first)
    world.create(run("chat"))
    world.wait_for_job("chat")
    assert first.metric("trainjobs_reconcile_duration_seconds_count") > 0
    assert second.metric("trainjobs_reconcile_duration_seconds_count") == 0
    assert "trainjobs_run_phase" not in second.get("/metrics")[1]


def test_when_the_leader_is_killed_the_other_goes_on(replicas: tuple[Operator, Operator], world: World):
    first = leader(replicas)
    second = next(one for one in replicas if one is not first)
    world.create(run("one"))
    world.wait_for_job("one")
    first.kill()
    world.create(run("two"))
    # The whole lease, one try, and the start of the watches.
    world.wait_for_job("two")
    assert leader(replicas) is second
    assert [len(world.jobs(name)) for name in ("one", "two")] == [1, 1]


@pytest.mark.parametrize("replicas", [NEVER_EXPIRES], indirect=True, ids=["long lease"])
def test_a_leader_that_is_asked_to_end_gives_the_lease_back(
    replicas: tuple[Operator, Operator], world: World
):
    first = leader(replicas)
    assert first.terminate() == 0
    second = next(one for one in replicas if one is not first)
    wait_for(lambda: second.metric("trainjobs_leader") == 1, "the other to lead")


def test_a_leader_that_was_frozen_writes_nothing_when_it_wakes(
    replicas: tuple[Operator, Operator], world: World
):
    first = leader(replicas)
    second = next(one for one in replicas if one is not first)
    world.create(run("chat"))
    world.wait_for_job("chat")
    first.send(signal.SIGSTOP)
    wait_for(lambda: second.metric("trainjobs_leader") == 1, "the other to lead")
    world.create(run("late"))
    world.wait_for_job("late")
    versions = {name: world.get(name)["metadata"]["resourceVersion"] for name in ("chat", "late")}
    first.send(signal.SIGCONT)
    assert first.wait() == 1
    assert {name: world.get(name)["metadata"]["resourceVersion"] for name in versions} == versions
    assert len(world.jobs()) == 2
