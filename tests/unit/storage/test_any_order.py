"""Whatever happens, in whatever order, a run keeps its good checkpoints until it has newer ones.

And what its result names, for ever.
"""

import json
import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from typing_extensions import override

from trainjobs.core.checkpoints.claim import Claim
from trainjobs.core.checkpoints.finding import Finding
from trainjobs.core.checkpoints.layout import (
    ARTIFACTS,
    CHECKPOINTS,
    MANIFEST,
    ArtifactRef,
    CheckpointRef,
    parse_checkpoint_key,
    resumption_key,
    split_place,
)
from trainjobs.core.checkpoints.resume import Resume
from trainjobs.core.checkpoints.resumption import ResumePoint
from trainjobs.core.checkpoints.retention import Retention
from trainjobs.core.uris import file_uri
from trainjobs.errors import CorruptCheckpoint, Fenced
from trainjobs.storage.attempts import Attempts
from trainjobs.storage.beginning import begin
from trainjobs.storage.checkpoints import CheckpointStore
from trainjobs.storage.complete import verify_folder
from trainjobs.storage.opening import open_store
from trainjobs.storage.store import AlreadyExists
from trainjobs.storage.superseded import delete_superseded, superseded

NOW = datetime(2026, 11, 29, tzinfo=UTC)


class AskedLongAgo(Attempts):
    """Of an attempt that asked who owns the run, was told that it does, and slept."""

    @override
    def require_newest(self, attempt: int) -> None:
        pass


@dataclass
class Agent:
    """One attempt's program, which may be cut off, sleep and wake at any time."""

    attempt: int
    step: int | None = None
    """How far its training is; None before it has begun."""
    over: bool = False
    """Whether it has ended before it saved anything."""
    delivers: bool = False
    """Whether it has begun to store its results, which it does once."""
    asleep_in: list[Callable[[], None]] = field(default_factory=list)
    """What it was about to do when it fell asleep, its last question answered."""


class AnyOrder(RuleBasedStateMachine):
    """Attempts of one run on a storage that keeps what it is given; machines may damage what they read."""

    @initialize(keep=st.integers(1, 3))
    def empty(self, keep: int) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="any-order-"))
        self.source = self.root / "source"
        self.source.mkdir()
        (self.source / "weights").write_bytes(b"w")
        self.store = CheckpointStore(open_store(file_uri(self.root / "run")))
        self.retention = Retention(keep)
        self.agents: list[Agent] = []
        self.result: bytes | None = None
        self.good: frozenset[CheckpointRef] = frozenset()

    @rule()
    def claim(self) -> None:
        attempt = len(self.agents) + 1
        self.store.attempts.create(self._claim(attempt))
        self.agents.append(Agent(attempt))

    @rule(data=st.data(), damaged=st.integers(0, 2), saves=st.integers(1, 4))
    def train(self, data: st.DataObject, damaged: int, saves: int) -> None:
        """A new attempt comes as far as its first checkpoints."""
        self.claim()
        agent = self.agents[-1]
        self._begin(agent, data, damaged)
        for _ in range(saves):
            self._save(agent, "never")

    @precondition(lambda self: any(agent.step is None and not agent.over for agent in self.agents))
    @rule(data=st.data(), damaged=st.integers(0, 4))
    def begin(self, data: st.DataObject, damaged: int) -> None:
        """Read the newest checkpoints, `damaged` of them badly, while others wake."""
        waiting = [agent for agent in self.agents if agent.step is None and not agent.over]
        agent = data.draw(st.sampled_from(waiting))
        self._begin(agent, data, damaged)

    def _begin(self, agent: Agent, data: st.DataObject, damaged: int) -> None:
        before = self._stored()
        complained = {one.checkpoint for one in self.store.attempts.findings()}
        others = set(self.store.line()) - complained
        chosen_before = self.store.attempts.resumptions()
        read: list[ResumePoint] = []

        def restore(candidate: ResumePoint) -> None:
            self.wake(data)
            read.append(candidate)
            if candidate is not None and len(read) <= damaged:
                raise CorruptCheckpoint("this machine flips bits")
            if candidate is not None and candidate not in self._stored():
                # One deletion may slip through, of what newer ones had replaced: `good` holds it to that.
                raise CorruptCheckpoint("it was deleted while it was read")

        try:
            begun = begin(self.store, self._claim(agent.attempt), Resume.AUTO, restore, lambda *_: None)
        except Fenced:
            return
        except CorruptCheckpoint:
            assert before, "nothing was there to be damaged"
        else:
            assert begun.resume is not None or not before, "began anew beside a checkpoint"
            if not read[:-1] and others and begun not in chosen_before:
                assert begun.resume not in complained, "tried what a node could not read before the others"
            agent.step = begun.resume.step if isinstance(begun.resume, CheckpointRef) else 0

    @precondition(lambda self: any(agent.step is not None for agent in self.agents))
    @rule(data=st.data())
    def fail_on_another_node(self, data: st.DataObject) -> None:
        """Another node of an attempt cannot read its part of what it goes on from, which ends the attempt."""
        agent = data.draw(st.sampled_from([agent for agent in self.agents if agent.step is not None]))
        record = next(
            (one for one in self.store.attempts.resumptions() if one.attempt == agent.attempt), None
        )
        if record is not None and isinstance(record.resume, CheckpointRef):
            with suppress(Fenced):
                self.store.attempts.tell(Finding(agent.attempt, 1, record.resume, "flipped", NOW))
            agent.step, agent.over = None, True

    @precondition(lambda self: any(agent.step is not None for agent in self.agents))
    @rule(data=st.data(), sleeps=st.sampled_from(["never", "saving", "deleting"]))
    def save(self, data: st.DataObject, sleeps: str) -> None:
        """Train for a while, save and tidy up; or fall asleep right before a write."""
        agent = data.draw(st.sampled_from([agent for agent in self.agents if agent.step is not None]))
        self._save(agent, sleeps)

    def _save(self, agent: Agent, sleeps: str) -> None:
        if agent.step is None:
            return
        agent.step += 10
        step, attempt = agent.step, agent.attempt
        with suppress(Fenced):
            self.store.attempts.require_newest(attempt)
            if sleeps == "saving":
                agent.asleep_in.append(lambda: self._save_late(step, attempt))
                return
            self.store.save(self.source, step=step, attempt=attempt)
            self.nothing_good_is_lost_but_for_newer_good_ones()
            if sleeps == "deleting":
                gone = self.store.surplus(self.retention, attempt=attempt)[:1]
                agent.asleep_in.extend(lambda ref=ref: self.store._delete(ref) for ref in gone)
                return
            self.store.prune(self.retention, attempt=attempt)
        self.nothing_good_is_lost_but_for_newer_good_ones()

    @precondition(lambda self: any(agent.step is not None and not agent.delivers for agent in self.agents))
    @rule(data=st.data(), stops=st.sampled_from(["never", "never", "uploading", "uploaded", "finished"]))
    def deliver(self, data: st.DataObject, stops: str) -> None:
        """Store the model and the result, and tidy up; or be cut off, or fall asleep, on the way."""
        trained = [agent for agent in self.agents if agent.step is not None and not agent.delivers]
        agent = data.draw(st.sampled_from(trained))
        agent.delivers, attempt = True, agent.attempt
        with suppress(Fenced):
            self.store.attempts.require_newest(attempt)
            if stops == "uploading":
                self.store.store.put(f"{ArtifactRef('model', attempt).folder}/weights", b"half")
                agent.asleep_in.append(lambda: self._deliver_late(attempt))
                return
            self.store.put_artifact("model", self.source, step=1, attempt=attempt)
            if stops == "uploaded":
                agent.asleep_in.append(lambda: self._deliver_late(attempt))
                return
            with suppress(AlreadyExists):
                self.store.finish(self._result(attempt), attempt=attempt)
            if stops == "finished":
                gone = superseded(self.store.store)[:1]
                agent.asleep_in.extend(lambda folder=folder: self._delete_late(folder) for folder in gone)
                return
            delete_superseded(self.store.store)
            assert superseded(self.store.store) == ()

    @rule(data=st.data())
    def wake(self, data: st.DataObject) -> None:
        """One that slept does what it was about to do, and goes on as if nothing had been."""
        asleep = [agent for agent in self.agents if agent.asleep_in]
        if not asleep:
            return
        agent = data.draw(st.sampled_from(asleep))
        agent.asleep_in.pop(0)()
        with suppress(Fenced):
            self.store.prune(self.retention, attempt=agent.attempt)

    @rule()
    def tidy_by_hand(self) -> None:
        """`trainjobs checkpoints prune` is of no attempt."""
        self.store.prune(self.retention, attempt=self.store.newest_attempt())
        before = self._artifacts()
        delete_superseded(self.store.store)
        assert len(self._artifacts()) == (1 if self.store.result() is not None else len(before))

    @precondition(lambda self: self.agents)
    @rule(data=st.data())
    def damage_a_record(self, data: st.DataObject) -> None:
        key = resumption_key(data.draw(st.sampled_from(self.agents)).attempt)
        if self.store.store.head(key) is not None:
            self.store.store.put(key, b"{")

    @rule(step=st.integers(0, 3), attempt=st.integers(1, 3))
    def leave_unfinished(self, step: int, attempt: int) -> None:
        ref = CheckpointRef(1000 + step, attempt)
        self.store.store.put(f"{ref.folder}/weights", b"half")

    @invariant()
    def nothing_good_is_lost_but_for_newer_good_ones(self) -> None:
        if not hasattr(self, "store"):
            return
        good = self._stored()
        for lost in self.good - good:
            newer = [ref for ref in good if ref.attempt > lost.attempt or ref.step > lost.step]
            assert len(newer) >= self.retention.keep_latest, f"{lost} went; newer: {newer}"
        self.good = good

    @invariant()
    def what_the_result_names_is_there_whole(self) -> None:
        result = self.store.result() if hasattr(self, "store") else None
        if result is None:
            return
        self.result = self.result or result
        assert result == self.result, "a run has one result"
        folder = split_place(json.loads(result)["artifacts"]["model"])[1]
        assert verify_folder(self.store.store, folder) == ()

    @override
    def teardown(self) -> None:
        if hasattr(self, "root"):
            shutil.rmtree(self.root)

    def _claim(self, attempt: int) -> Claim:
        return Claim(attempt, f"job-{attempt}", f"pod-{attempt}", NOW)

    def _save_late(self, step: int, attempt: int) -> None:
        late = CheckpointStore(self.store.store)
        late.attempts = AskedLongAgo(self.store.store)
        late.save(self.source, step=step, attempt=attempt)

    def _result(self, attempt: int) -> bytes:
        uri = f"{self.store.store.uri}/{ArtifactRef('model', attempt).folder}"
        return json.dumps({"artifacts": {"model": uri}}).encode()

    def _deliver_late(self, attempt: int) -> None:
        late = CheckpointStore(self.store.store)
        late.attempts = AskedLongAgo(self.store.store)
        late.put_artifact("model", self.source, step=1, attempt=attempt)
        with suppress(AlreadyExists):
            late.finish(self._result(attempt), attempt=attempt)
        delete_superseded(self.store.store)

    def _delete_late(self, folder: str) -> None:
        self.store.store.delete([f"{folder}/{MANIFEST}"])
        self.store.store.delete_folder(folder)

    def _artifacts(self) -> set[str]:
        return {info.key.split("/")[1] for info in self.store.store.list(ARTIFACTS)}

    def _stored(self) -> frozenset[CheckpointRef]:
        found = ((parse_checkpoint_key(info.key), info.key) for info in self.store.store.list(CHECKPOINTS))
        return frozenset(ref for ref, key in found if ref is not None and key == ref.manifest_key)


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
