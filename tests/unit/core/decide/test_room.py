"""A node without a machine is waited for as long as the limit of the run allows, and costs it nothing."""

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.core.decide.building import START, make_run
from tests.unit.core.decide.world import World, is_finished
from trainjobs.core.decide import decide

LIMIT = 20_000


def look(world: World) -> None:
    """The cluster does what it can, and the operator looks at it, until nothing more happens."""
    for _ in range(6):
        world.run_jobs()
        world.run_kubelets()
        world.run_agents()
        world.carry_out(decide(world.observe(), world.now), failing=None)


@given(
    nodes=st.integers(2, 4),
    full=st.sets(st.integers(0, 3), min_size=1),
    waits=st.lists(st.sampled_from([1, 30, 610, 901, 1801, 3601, 7300]), min_size=1, max_size=12),
    budget=st.integers(0, 2),
)
@settings(max_examples=25, deadline=None)
def test_until_its_limit_no_restart_is_spent_and_no_pod_is_deleted(
    nodes: int, full: set[int], waits: list[int], budget: int
) -> None:
    policy = {"schedulingTimeoutSeconds": LIMIT, "maxInfrastructureRestarts": budget, "maxRestarts": 0}
    world = World(make_run(policy=policy, nodes=nodes))
    full = {rank % nodes for rank in full}
    world.no_room = full
    look(world)
    pods = set(world.pods)
    assert len(pods) == nodes
    for seconds in waits:
        if (world.now - START).total_seconds() + seconds >= LIMIT:
            break
        world.pass_time(seconds)
        look(world)
        status = world.run.status
        assert (status.attempt, status.restarts, status.infrastructure_restarts, status.ended) == (
            1,
            0,
            0,
            None,
        )
        assert set(world.pods) == pods
        assert all(pod.deleted is None for pod in world.pods.values())
        assert world.step == 0, "nobody trains before all are there"

    world.no_room = set()
    look(world)
    world.finish(1)
    look(world)
    status = world.run.status
    assert is_finished(status)
    assert (status.phase, status.attempt, status.restarts, status.infrastructure_restarts) == (
        "Succeeded",
        1,
        0,
        0,
    )


@given(nodes=st.integers(2, 4), rank=st.integers(0, 3))
@settings(max_examples=10, deadline=None)
def test_at_its_limit_the_attempt_ends_and_says_what_was_waited_for(nodes: int, rank: int) -> None:
    world = World(make_run(policy={"schedulingTimeoutSeconds": LIMIT}, nodes=nodes))
    world.no_room = {rank % nodes}
    look(world)
    world.pass_time(LIMIT)
    look(world)
    failure = world.run.status.failure
    assert failure is not None
    assert failure.reason == "SchedulingTimeout"
    assert "0/9 nodes are available" in failure.message
