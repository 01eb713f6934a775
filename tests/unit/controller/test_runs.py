"""What is remembered of runs goes with them, whatever comes in which order."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.unit.core.decide.building import at, make_run, running
from tests.unit.core.decide.building import job as a_job
from trainjobs.controller.heartbeats import REMEMBERED_ATTEMPTS, Heartbeats
from trainjobs.controller.keys import RunKey
from trainjobs.controller.runs import RunTable
from trainjobs.core.decide.observed import Observed
from trainjobs.core.reports import Heartbeat

KEYS = [RunKey("RewardModelRun", "team", name) for name in ("a", "b")]


def observed(key: RunKey, uid: str, attempt: int, *, depends_on: str = "", leaving: bool = False) -> Observed:
    run = make_run(depends_on=depends_on)
    changes = {"name": key.name, "uid": uid, "deletion_timestamp": at(0) if leaving else None}
    run = run.model_copy(
        update={
            "metadata": run.metadata.model_copy(update=changes),
            "status": run.status.model_copy(update={"attempt": attempt}),
        }
    )
    jobs = (a_job(attempt, uid=f"job-{uid}-{attempt}", owner_uid=uid),)
    pods = (running(attempt=attempt, uid=f"pod-{uid}-{attempt}", job_uid=jobs[0].uid),)
    return Observed(run, jobs, pods)


def beat(uid: str, attempt: int, rank: int = 0) -> Heartbeat:
    return Heartbeat(run_uid=uid, attempt=attempt, node_rank=rank, stage="Training", time=at(0))


class Remembering(RuleBasedStateMachine):
    """Runs come and go, are made again under their names, and agents report at any time."""

    @initialize()
    def begin(self) -> None:
        self.table, self.heartbeats = RunTable(), Heartbeats()
        self.there: dict[RunKey, str] = {}
        self.number = 0
        self.owed: set[RunKey] = set()
        """Runs that a look was asked for, which has not come yet."""

    @rule(key=st.sampled_from(KEYS))
    def a_run_is_made_or_made_again(self, key: RunKey) -> None:
        self.number += 1
        self.there[key] = f"{key.name}{self.number}"
        self.owed.add(key)

    @rule(key=st.sampled_from(KEYS))
    def a_run_is_gone(self, key: RunKey) -> None:
        self.there.pop(key, None)
        self.owed.add(key)

    @rule(key=st.sampled_from(KEYS), back=st.integers(0, 2), attempt=st.integers(1, 9))
    def an_agent_reports(self, key: RunKey, back: int, attempt: int) -> None:
        """Perhaps of a run that is no more: its pods have their grace period."""
        uid = f"{key.name}{max(self.number - back, 1)}"
        self.table.met(key, uid)
        if self.heartbeats.hear(beat(uid, attempt), at(0)):
            self.owed.add(key)

    @rule(
        key=st.sampled_from(KEYS),
        attempt=st.integers(1, 9),
        other=st.sampled_from(["", "a", "x"]),
        leaving=st.booleans(),
    )
    def look(self, key: RunKey, attempt: int, other: str, leaving: bool) -> None:
        """As the reconciler does."""
        self.owed.discard(key)
        uid = self.there.get(key, "")
        for gone in self.table.forget(key, but=uid):
            self.heartbeats.forget(gone)
        if uid:
            found = observed(key, uid, attempt, depends_on=other, leaving=leaving)
            self.table.note(key, found, found.run.status, None)

    @invariant()
    def what_is_looked_at_leaves_nothing_of_others(self) -> None:
        if not hasattr(self, "table"):
            return
        for key in set(KEYS) - self.owed:
            uid = self.there.get(key)
            assert self.table._uids.get(key, set()) <= {uid}
            known = self.table.get(key)
            assert known is None or known.uid == uid

    def teardown(self) -> None:
        if not hasattr(self, "table"):
            return
        for key in KEYS:
            self.there.pop(key, None)
            self.look(key, 1, "", leaving=False)
        left = {name: value for name, value in vars(self.table).items() if value}
        assert left == {}
        assert self.heartbeats._of == {}


TestRemembering = Remembering.TestCase
TestRemembering.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


def test_a_run_made_again_under_its_name_begins_with_nothing() -> None:
    table, key = RunTable(), KEYS[0]
    before = observed(key, "old", 7)
    table.note(key, before, before.run.status, "now")

    gone = table.forget(key, but="new")

    assert gone == {"old"}
    assert table.get(key) is None
    assert table.node("pod-old-7") is None
    assert table.forget(key, but="new") == frozenset()


def test_however_many_attempts_a_run_makes_a_few_are_remembered() -> None:
    heard = Heartbeats()
    for attempt in range(1, 500):
        heard.hear(beat("u", attempt), at(attempt))

    assert [one.attempt for one in heard.of("u")] == list(range(499 - REMEMBERED_ATTEMPTS, 500))
    assert not heard.hear(beat("u", 3), at(501))
    assert len(heard.of("u")) == REMEMBERED_ATTEMPTS + 1
