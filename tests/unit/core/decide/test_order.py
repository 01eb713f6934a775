"""Whatever write fails, any number of times: an attempt ended as was seen first, and is counted once."""

from datetime import timedelta

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.unit.core.decide.building import make_run, onward
from tests.unit.core.decide.world import World
from trainjobs.core.decide import decide
from trainjobs.core.decide.order import ORDER, Part
from trainjobs.core.failures import TABLE

FAILURES = sorted(
    (kind.exit_code, kind.reason.value) for kind in TABLE.values() if kind.exit_code is not None
)
FAULTS = st.one_of(
    st.sampled_from([("fails", failure) for failure in FAILURES]),
    st.sampled_from([("is suspended", None), ("loses its job", None), ("loses its machine", None)]),
)


@given(
    fault=FAULTS,
    nodes=st.integers(1, 2),
    broken=st.lists(st.sampled_from([None, *ORDER]), min_size=1, max_size=8),
    worked=st.lists(st.booleans(), min_size=8, max_size=8),
)
@example(fault=("fails", (23, "TrainingError")), nodes=1, broken=[Part.STATUS], worked=[True])
@example(fault=("fails", (11, "InvalidData")), nodes=2, broken=[Part.STATUS], worked=[True])
@settings(max_examples=150, deadline=None)
def test_no_reason_is_lost_and_none_counted_twice(fault, nodes, broken, worked) -> None:
    world = World(make_run(nodes=nodes, policy={"maxRestarts": 3, "onOutOfMemory": "HalveBatch"}))
    for _ in range(3):
        world.carry_out(onward(world.observe(), world.now), failing=None)
        world.run_jobs()
        world.run_kubelets()
        world.run_agents()
    strike(world, fault, rank=nodes - 1)
    seen = first_end(world)
    for part, works in zip(broken, worked, strict=False):
        world.carry_out(decide(world.observe(), world.now), failing=part)
        world.pass_time(1)
        if works:
            world.run_jobs()
            world.run_kubelets()
    for _ in range(3):
        world.carry_out(decide(world.observe(), world.now), failing=None)
    status = world.run.status
    assert (status.ended.attempt, status.ended.reason) == (1, seen.ended.reason)
    assert (status.restarts, status.infrastructure_restarts) == (seen.restarts, seen.infrastructure_restarts)
    assert (status.failure and status.failure.reason) == (seen.failure and seen.failure.reason)


def strike(world: World, fault: tuple[str, tuple[int, str] | None], rank: int) -> None:
    """Let something end the first attempt."""
    what, failure = fault
    pod = next(pod for pod in world.pods.values() if pod.node_rank == rank)
    match what:
        case "fails":
            world.fail(pod.uid, *failure)
        case "is suspended":
            world.set_policy(suspend=True)
        case "loses its job":
            world.delete_job(pod.job_uid)
        case "loses its machine":
            world.lose_machine(pod.uid)
            world.pass_time(180)


def first_end(world: World):
    """The status once somebody has looked with nothing failing; what an echo hides is waited for."""
    while True:
        decision = decide(world.observe(), world.now)
        if decision.status.ended is not None:
            return decision.status
        world.pass_time(max((decision.requeue_after or timedelta(seconds=1)).total_seconds(), 1))
