"""What holds of every run, whatever goes wrong around it."""

from dataclasses import replace
from datetime import datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from tests.unit.core.decide.building import condition, make_run
from tests.unit.core.decide.world import World, is_finished
from trainjobs.api.status import RunStatus, StorageStatus
from trainjobs.core.decide import decide
from trainjobs.core.decide.decision import Decision
from trainjobs.core.decide.observed import Observed
from trainjobs.core.decide.order import ORDER, Part, starts_from
from trainjobs.core.failures import TABLE

THEN = st.sampled_from([0, 3])
"""How long all goes well after a fault: several of them may come together."""
FAILURES = sorted(
    (kind.exit_code, kind.reason.value) for kind in TABLE.values() if kind.exit_code is not None
)
NEVER_ITS_FAULT = {"StorageUnavailable"}
"""What no run is ever to blame for."""
NOT_ITS_FAULT = NEVER_ITS_FAULT.union(
    ["StorageUnusable", "AccessDenied", "HubUnavailable", "ImagePullFailed", "NodeNotStarted"]
)
"""What a run that has worked is never to blame for."""
ROUNDS = 400
"""More looks than any run here needs to settle."""


class Life(RuleBasedStateMachine):
    """A run, its operator, and everything that can happen to them."""

    world: World

    @initialize(
        nodes=st.integers(1, 2),
        depends=st.sampled_from(["", "", "Running", "Succeeded"]),
        queued=st.sampled_from([False, False, True]),
        deadline=st.sampled_from([None, None, 40_000]),
        restarts=st.integers(0, 3),
        infrastructure=st.integers(0, 5),
        memory=st.sampled_from(["Fail", "HalveBatch"]),
        rounds=st.sampled_from([0, 3, 3, 3]),
        sidecars=st.sampled_from([False, False, True]),
        no_room=st.sampled_from([set(), set(), {0}, {1}]),
        away=st.sampled_from([False, False, True]),
    )
    def begin(
        self,
        *,
        nodes,
        depends,
        queued,
        deadline,
        restarts,
        infrastructure,
        memory,
        rounds,
        sidecars,
        no_room,
        away,
    ) -> None:
        policy = {
            "maxRestarts": restarts,
            "maxInfrastructureRestarts": infrastructure,
            "onOutOfMemory": memory,
            **({"queueName": "team"} if queued else {}),
            **({"activeDeadlineSeconds": deadline} if deadline else {}),
        }
        self.world = World(
            make_run(policy=policy, nodes=nodes, depends_on="base" if depends else ""), sidecars=sidecars
        )
        self.world.no_room, self.world.storage_away = no_room, away
        if depends:
            self.world.set_dependency(depends)
        self.stale: list[tuple[Observed, int]] = []
        self.all_goes_well_for_a_while(rounds)

    # the operator

    @rule(failing=st.sampled_from([None, None, None, *ORDER]))
    def look(self, failing: Part | None) -> None:
        """Observe, decide and carry out, until a part fails."""
        observed, version = self.world.observe(), self.world.version
        self.stale.append((observed, version))
        decision = self.decided(observed)
        self.carry_out(decision, version, failing=failing)
        if failing is None and not decision.stop and decision.requeue_after != timedelta():
            self.assert_quiet()

    @precondition(lambda self: self.stale)
    @rule(back=st.integers(1, 10))
    def look_at_something_stale(self, back: int) -> None:
        """An operator that was asleep goes on with what it saw before."""
        observed, version = self.stale[-min(back, len(self.stale))]
        self.carry_out(self.decided(observed), version, failing=None)

    def decided(self, observed: Observed) -> Decision:
        decision = decide(observed, self.world.now)
        assert decision == decide(observed, self.world.now)
        before, after, policy = observed.run.status, decision.status, observed.run.spec.run_policy
        assert after.attempt >= before.attempt
        assert after.restarts <= policy.max_restarts
        assert after.infrastructure_restarts <= policy.max_infrastructure_restarts
        if is_finished(before) or is_finished(after):
            assert decision.start is None
            assert after.completion_time is not None
        if policy.suspend:
            assert decision.start is None
        if before.storage is not None:
            assert after.storage == before.storage
        if decision.start is not None:
            assert after.storage is not None
            assert starts_from(after) == starts_from(before), "an attempt starts from what is not written"
        if is_finished(before):
            assert after == before
        assert RunStatus.model_validate(after.model_dump(by_alias=True)) == after
        self.assert_waited_for(observed, after)
        if waits_for_room(observed, self.world.now):
            assert (after.attempt, after.ended) == (before.attempt, before.ended)
            assert after.infrastructure_restarts == before.infrastructure_restarts
            assert [one for one in decision.stop if one.attempt == before.attempt] == [], (
                "nobody is taken away"
            )
        for type_ in {one.type for one in after.conditions}:
            self.assert_transition_times(before, after, type_)
        return decision

    def assert_waited_for(self, observed: Observed, after: RunStatus) -> None:
        """No run fails for a storage that is away, and none that has trained for want of what it had.

        Other than by its deadlines, that is.
        """
        before = observed.run.status
        if is_finished(before):
            return
        steps = [one for one in observed.heartbeats if one.attempt == after.attempt and one.progress]
        assert after.reached == "Trained" or not (steps or before.reached == "Trained")
        if is_finished(after) and after.failure is not None:
            worked = after.reached == "Trained"
            assert after.failure.reason not in (NOT_ITS_FAULT if worked else NEVER_ITS_FAULT)

    def assert_transition_times(self, before: RunStatus, after: RunStatus, type_: str) -> None:
        old = next((one for one in before.conditions if one.type == type_), None)
        new = next(one for one in after.conditions if one.type == type_)
        if old is None or old.status != new.status:
            assert new.last_transition_time == self.world.now
        elif before.attempt == after.attempt:
            assert new.last_transition_time == old.last_transition_time

    def carry_out(self, decision: Decision, version: int, *, failing: Part | None) -> None:
        if version == self.world.version:
            self.world.carry_out(decision, failing=failing)

    def assert_quiet(self) -> None:
        """Once a decision is carried out, nothing is to be done until something happens."""
        decision = decide(self.world.observe(), self.world.now)
        assert decision.status == self.world.run.status
        assert (decision.start, decision.stop, decision.events) == (None, (), ())
        assert decision.requeue_after != timedelta(), "a look that can do nothing is repeated at once"

    # the cluster

    @rule(seconds=st.sampled_from([1, 30, 130, 700, 4000]))
    def time_passes(self, seconds: int) -> None:
        self.world.pass_time(seconds)

    @rule(times=st.integers(1, 4))
    def all_goes_well_for_a_while(self, times: int) -> None:
        for _ in range(times):
            self.the_cluster_works(2)
            self.look(None)

    @rule(times=st.integers(1, 3))
    def the_cluster_works(self, times: int) -> None:
        for _ in range(times):
            self.world.run_jobs()
            self.world.run_kubelets()
            self.world.run_agents()

    @precondition(lambda self: self.world.alive)
    @rule()
    def a_checkpoint_is_saved(self) -> None:
        self.world.save()

    @precondition(lambda self: self.world.alive)
    @rule()
    def training_ends(self) -> None:
        self.world.finish(self.world.created[-1])

    # faults

    @precondition(lambda self: self.world.alive)
    @rule(
        data=st.data(),
        failure=st.sampled_from(FAILURES),
        stage=st.sampled_from(["Fetching", "Training"]),
        then=THEN,
    )
    def a_node_fails(self, data, failure, stage, then: int) -> None:
        uid = data.draw(st.sampled_from(sorted(self.world.alive)))
        if self.world.pods[uid].node not in self.world.lost_machines:
            self.world.fail(uid, *failure, stage)
        self.all_goes_well_for_a_while(then)

    @rule(word=st.sampled_from(["", "ImagePullBackOff", "CreateContainerConfigError"]), then=THEN)
    def containers_start_no_more_or_again(self, word: str, then: int) -> None:
        self.world.held_up = word
        self.all_goes_well_for_a_while(then)

    @rule(ranks=st.sampled_from([{1}, {0}, {0, 1}, set(), set()]), then=THEN)
    def machines_fill_up_or_have_room_again(self, ranks: set[int], then: int) -> None:
        self.world.no_room = ranks
        self.all_goes_well_for_a_while(then)

    @rule(rounds=st.integers(1, 8))
    def storage_goes_away_or_comes_back(self, rounds: int) -> None:
        self.world.storage_away = not self.world.storage_away
        for _ in range(rounds):
            self.world.pass_time(700)
            self.all_goes_well_for_a_while(1)

    @precondition(lambda self: self.world.alive)
    @rule(data=st.data(), seconds=st.sampled_from([1, 100, 130]), then=THEN)
    def a_machine_is_lost(self, data, seconds: int, then: int) -> None:
        self.world.lose_machine(data.draw(st.sampled_from(sorted(self.world.alive))))
        self.world.pass_time(seconds)
        self.all_goes_well_for_a_while(then)

    @precondition(lambda self: self.world.lost_machines)
    @rule()
    def lost_machines_come_back(self) -> None:
        for uid, pod in list(self.world.pods.items()):
            if pod.node in self.world.lost_machines:
                self.world.bring_back(uid)

    @precondition(lambda self: self.world.pods)
    @rule(data=st.data(), then=THEN)
    def a_pod_is_deleted(self, data, then: int) -> None:
        self.world.delete_pod(data.draw(st.sampled_from(sorted(self.world.pods))))
        self.all_goes_well_for_a_while(then)

    @precondition(lambda self: self.world.jobs)
    @rule(data=st.data(), then=THEN)
    def a_job_is_deleted(self, data, then: int) -> None:
        self.world.delete_job(data.draw(st.sampled_from(sorted(job.uid for job in self.world.jobs.values()))))
        self.all_goes_well_for_a_while(then)

    @precondition(lambda self: self.world.jobs)
    @rule(data=st.data(), suspended=st.booleans())
    def a_queue_suspends_or_admits_a_job(self, data, suspended: bool) -> None:
        name = data.draw(st.sampled_from(sorted(self.world.jobs)))
        self.world.jobs[name] = replace(self.world.jobs[name], suspended=suspended)

    @rule(then=THEN)
    def the_user_suspends_or_resumes(self, then: int) -> None:
        self.world.set_policy(suspend=not self.world.run.spec.run_policy.suspend)
        self.all_goes_well_for_a_while(then)

    @precondition(lambda self: self.world.backups and not is_finished(self.world.run.status))
    @rule(back=st.integers(1, 10), then=THEN)
    def the_status_is_restored_from_a_backup(self, back: int, then: int) -> None:
        backups = self.world.backups
        self.world.write_status(backups[-min(back, len(backups))])
        self.all_goes_well_for_a_while(then)

    @rule(uri=st.sampled_from(["s3://a", "s3://b"]))
    def the_platform_has_another_default(self, uri: str) -> None:
        self.world.storage = StorageStatus(uri=uri)

    @precondition(lambda self: self.world.awaits_another())
    @rule(type_=st.sampled_from(["Running", "Succeeded", "Succeeded", "Failed"]))
    def the_other_run_goes_on(self, type_: str) -> None:
        self.world.set_dependency(type_)

    # what holds in the end

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        self.assert_writers_in_order()
        self.settle()
        self.assert_writers_in_order()

    def assert_writers_in_order(self) -> None:
        assert self.world.writers == sorted(self.world.writers), "an older attempt wrote after a newer one"

    def settle(self) -> None:
        """Without further faults the run reaches its end, or waits for somebody."""
        world = self.world
        world.held_up, world.no_room, world.storage_away = "", set(), False
        for _ in range(ROUNDS):
            for name, job in list(world.jobs.items()):
                if job.suspended and not any(pod.job_uid == job.uid for pod in world.pods.values()):
                    world.jobs[name] = replace(job, suspended=False)
            self.the_cluster_works(2)
            if world.created:
                world.finish(world.created[-1])
            decision = self.decided(world.observe())
            self.carry_out(decision, world.version, failing=None)
            if is_settled(world, decision):
                return
            ahead = decision.requeue_after or timedelta(seconds=1)
            world.pass_time(min(max(ahead.total_seconds(), 1), 3600))
        raise AssertionError(f"did not settle: {world.run.status.phase}, {world.jobs}, {world.pods}")


def waits_for_room(observed: Observed, now: datetime) -> bool:
    """Whether a node of the attempt has no machine yet, nothing else is wrong, and no limit has passed."""
    status, policy = observed.run.status, observed.run.spec.run_policy
    jobs = [job for job in observed.jobs if job.attempt == max(one.attempt for one in observed.jobs)]
    if len(jobs) != 1 or is_finished(status) or policy.suspend or policy.active_deadline_seconds:
        return False
    job, pods = jobs[0], [pod for pod in observed.pods if pod.job_uid == jobs[0].uid]
    newest = max((pod.attempt for pod in observed.pods), default=0)
    if job.deleted or job.suspended or job.failed or not job.attempt == status.attempt >= newest:
        return False
    waiting = [pod for pod in pods if not pod.scheduled]
    limit = timedelta(seconds=policy.scheduling_timeout_seconds)
    well = all(
        pod.phase in ("Pending", "Running")
        and (pod.deleted, pod.ready_lost, pod.termination, pod.waiting_reason) == (None, None, None, "")
        for pod in pods
    )
    # A node that has started before, and is pending again, has been lost.
    fresh = {pod.node_rank: pod.uid for pod in pods}
    same = all(fresh.get(rank, "").startswith(uid) for rank, uid in enumerate(status.started_pods))
    ended = status.ended is not None and status.ended.attempt >= job.attempt
    return bool(waiting) and well and same and not ended and all(now < pod.created + limit for pod in waiting)


def is_settled(world: World, decision: Decision) -> bool:
    if decision.start or decision.stop or decision.events:
        return False
    if is_finished(world.run.status) or world.run.status.phase == "Suspended":
        # Whatever else runs in its pods holds no devices after the end.
        return all(pod.over or world.is_lost(pod) for pod in world.pods.values())
    return world.run.status.phase == "Waiting" and condition(world.run.status, "Accepted")[0] == "True"


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=100, stateful_step_count=50, deadline=None)
