"""Conditions, phase, progress, columns and events."""

import pytest

from tests.unit.core.decide.building import (
    at,
    beat,
    begin,
    checkpoints,
    condition,
    ended,
    job,
    make_run,
    pod,
    reasons,
    running,
    settled,
    under_way,
    with_status,
)
from trainjobs.api.conditions import ConditionType, Reason
from trainjobs.api.status import (
    DAMAGED_NAMED,
    BestMetric,
    DamagedCheckpoint,
    Display,
    Metrics,
    RunStatus,
)
from trainjobs.core.decide import conditions, decide
from trainjobs.core.decide.display import display, duration
from trainjobs.core.decide.observed import Observed
from trainjobs.core.reports import SyncState, Wait


def test_a_transition_time_moves_only_when_the_status_flips() -> None:
    running_ = ConditionType.RUNNING
    status = conditions.false(RunStatus(), running_, Reason.PENDING, "0 of 1", at(0))
    status = conditions.false(status, running_, Reason.STARTING, "1 of 1", at(5))
    assert conditions.find(status, running_).last_transition_time == at(0)
    assert conditions.find(status, running_).message == "1 of 1"
    status = conditions.true(status, running_, Reason.TRAINING, "", at(9))
    assert conditions.find(status, running_).last_transition_time == at(9)
    assert len(status.conditions) == 1


def test_a_long_message_is_cut() -> None:
    status = conditions.true(RunStatus(), ConditionType.SYNCED, Reason.SYNCED, "x" * 5000, at(0))
    assert len(conditions.find(status, ConditionType.SYNCED).message) == conditions.MESSAGE_LENGTH


@pytest.mark.parametrize(
    ("pods", "phase", "scheduled", "running_"),
    [
        ((), "Pending", "Pending", "Pending"),
        ((pod(0), pod(1)), "Pending", "Pending", "Pending"),
        ((pod(0, scheduled=True), pod(1)), "Pending", "Pending", "Pending"),
        ((pod(0, scheduled=True), pod(1, scheduled=True)), "Starting", "Scheduled", "Pending"),
        ((running(0), pod(1, scheduled=True)), "Starting", "Scheduled", "Starting"),
        ((running(0), running(1)), "Running", "Scheduled", "Starting"),
        ((running(0), ended(0, "Succeeded", 1)), "Running", "Scheduled", "Starting"),
    ],
)
def test_how_an_attempt_stands(pods, phase, scheduled, running_) -> None:
    status = settled(Observed(begin(make_run(nodes=2)), (job(),), pods), 5).status
    assert status.phase == phase
    assert condition(status, "Scheduled")[1] == scheduled
    assert condition(status, "Running")[1] == running_


@pytest.mark.parametrize(
    ("pods", "beats", "said"),
    [
        (
            (pod(scheduled=True, waiting_reason="ContainerCreating"),),
            (),
            "0 of 1 nodes run; node 0: ContainerCreating waits for its image and its volumes, since ",
        ),
        (
            (pod(scheduled=True, waiting_reason="ImagePullBackOff", waiting_message="no such image"),),
            (),
            "node 0: ImagePullBackOff no such image, since ",
        ),
        (
            (running(),),
            (beat(4, stage="Fetching", wait=Wait(what="the download of hf://o/name", since=at(3))),),
            "1 of 1 nodes run; node 0 is at: Fetching; it waits for the download of hf://o/name, since ",
        ),
    ],
)
def test_what_is_waited_for_and_since_when_stands_in_the_condition(pods, beats, said) -> None:
    status = settled(Observed(begin(make_run()), (job(),), pods, beats), 5).status
    assert said in conditions.find(status, ConditionType.RUNNING).message


def test_a_node_that_waits_for_one_without_a_machine_says_so() -> None:
    waiting = beat(4, stage="Launching", wait=Wait(what="node 1: 1 of 2 are there", since=at(3)))
    observed = Observed(begin(make_run(nodes=2)), (job(),), (running(0), pod(1)), (waiting,))
    said = conditions.find(settled(observed, 5).status, ConditionType.RUNNING).message
    assert said.startswith("1 of 2 nodes run; node 0 waits for node 1: 1 of 2 are there, since ")


def test_the_story_of_a_run_is_told_once() -> None:
    run, told = make_run(), []
    children = [((), ()), ((job(),), ()), ((job(),), (pod(scheduled=True),)), ((job(),), (running(),))]
    for jobs, pods in children:
        for _ in range(2):
            decision = decide(Observed(run, jobs, pods), at(5))
            run = with_status(run, decision.status)
            told += reasons(decision)
    decision = decide(Observed(run, (job(),), (running(),), (beat(9, step=1),)), at(9))
    assert [*told, *reasons(decision)] == ["AttemptCreated", "Scheduled", "Starting", "Training"]


def test_other_words_alone_are_no_news() -> None:
    run = settled(Observed(under_way(make_run()), (job(),), (running(),), (beat(5, step=1),)), 5)
    for message in ("503 Slow Down", "timed out"):
        bad = beat(6, step=1, sync=SyncState(healthy=False, message=message))
        decision = decide(Observed(run, (job(),), (running(),), (bad,)), at(6))
        run = with_status(run, decision.status)
        assert message in next(one for one in run.status.conditions if one.type == "Synced").message
    assert decision.events == ()


def test_a_storage_outage_and_its_end_are_told() -> None:
    run = settled(Observed(under_way(make_run()), (job(),), (running(),), (beat(5, step=1),)), 5)
    bad = beat(6, step=1, sync=SyncState(healthy=False, message="503 Slow Down"))
    decision = decide(Observed(run, (job(),), (running(),), (bad,)), at(6))
    assert reasons(decision) == ["StorageUnavailable"]
    assert "503 Slow Down" in decision.events[0].message
    run = with_status(run, decision.status)
    good = decide(Observed(run, (job(),), (running(),), (beat(7, step=1),)), at(7))
    assert reasons(good) == ["Synced"]


def test_storage_that_is_away_before_training_is_told_and_so_is_its_return() -> None:
    run = settled(Observed(under_way(make_run()), (job(),), (running(),)), 5)
    for stage, sync, told in (
        ("Starting", SyncState(healthy=False, reason="StorageUnavailable"), ("False", "StorageUnavailable")),
        ("Fetching", SyncState(reason="Synced"), ("True", "Synced")),
        ("Fetching", SyncState(), ("True", "Synced")),
    ):
        beats = (beat(6, stage=stage, sync=sync),)
        run = settled(Observed(run, (job(),), (running(),), beats), 6)
        assert condition(run.status, "Synced") == told


def test_storage_that_refuses_the_keys_is_told_as_that() -> None:
    denied = SyncState(healthy=False, reason="AccessDenied", message="s3://runs: access denied")
    run = settled(Observed(under_way(make_run()), (job(),), (running(),), (beat(5, step=1),)), 5)
    beats = (beat(6, step=1, sync=denied),)
    decision = decide(Observed(run, (job(),), (running(),), beats), at(6))
    assert condition(decision.status, "Synced") == ("False", "AccessDenied")
    assert reasons(decision) == ["AccessDenied"]


@pytest.mark.parametrize(
    ("reason", "words"),
    [("RetentionFailed", "and old ones are kept"), ("PartsMissing", "but one lacks a part")],
)
def test_what_an_agent_has_to_say_of_a_storage_that_it_reaches_is_told(reason: str, words: str) -> None:
    stay = SyncState(reason=reason, message="s3://runs: so and so")
    run = settled(Observed(under_way(make_run()), (job(),), (running(),), (beat(5, step=1),)), 5)
    decision = decide(Observed(run, (job(),), (running(),), (beat(6, step=1, sync=stay),)), at(6))
    synced = next(one for one in decision.status.conditions if one.type == "Synced")
    assert (synced.status, synced.reason) == ("True", reason)
    assert synced.message.endswith(f"{words}: s3://runs: so and so")
    assert [(event.type, event.reason) for event in decision.events] == [("Warning", reason)]
    run = with_status(run, decision.status)
    again = decide(Observed(run, (job(),), (running(),), (beat(7, step=2, sync=stay),)), at(7))
    assert again.events == ()


def test_storage_that_ended_an_attempt_is_told_until_another_has_reached_it() -> None:
    away = ended(30, "StorageUnavailable")
    run = settled(Observed(under_way(make_run()), (job(failed=True),), (away,)), 10)
    assert condition(run.status, "Synced") == ("False", "StorageUnavailable")
    run = settled(Observed(run, (job(failed=True),), (away,)), 11)
    jobs, pods = (job(failed=True), job(2)), (away, running(attempt=2))
    starting = settled(Observed(run, jobs, pods, (beat(12, stage="Fetching", attempt=2),)), 12)
    assert condition(starting.status, "Synced") == ("False", "StorageUnavailable")
    training = settled(Observed(starting, jobs, pods, (beat(20, step=1, attempt=2),)), 20)
    assert condition(training.status, "Synced") == ("True", "Synced")


def test_a_damaged_checkpoint_that_is_passed_over_is_told_once() -> None:
    run = under_way(make_run())
    damaged = DamagedCheckpoint(uri="s3://runs/scores/checkpoints/9", message="checkpoint 9 is damaged")
    observed = Observed(run, (job(),), (running(0),), (beat(5, stage="Fetching", damaged=[damaged]),))
    told = decide(observed, at(5))
    assert told.status.damaged_checkpoints == [damaged]
    assert [(e.type, e.reason, e.message) for e in told.events if e.reason == Reason.CHECKPOINT_DAMAGED] == [
        ("Warning", Reason.CHECKPOINT_DAMAGED, "checkpoint 9 is damaged")
    ]
    later = Observed(with_status(run, told.status), (job(),), (running(0),), (beat(9, step=1, checkpoint=1),))
    again = decide(later, at(9))
    assert Reason.CHECKPOINT_DAMAGED not in reasons(again)
    assert again.status.damaged_checkpoints == [damaged]


def test_only_so_many_damaged_checkpoints_are_kept_and_the_newest_of_them() -> None:
    run = under_way(make_run())
    damaged = [DamagedCheckpoint(uri=f"s3://runs/{step}", message=str(step)) for step in range(12)]
    for first in (0, 4):
        beats = (beat(5 + first, damaged=damaged[first : first + DAMAGED_NAMED]),)
        run = settled(Observed(run, (job(),), (running(0),), beats), 5 + first)
    assert run.status.damaged_checkpoints == damaged[4:]


def test_an_agent_that_falls_silent_makes_the_run_unhealthy_but_does_not_end_it() -> None:
    run = under_way(make_run())
    decision = decide(Observed(run, (job(),), (running(),), (beat(10, step=1),)), at(5000))
    assert condition(decision.status, "Healthy") == ("False", "AgentSilent")
    assert decision.status.phase == "Running"


@pytest.mark.parametrize(
    ("heartbeat", "written"),
    [
        (beat(20, step=104), False),
        (beat(39, step=104), False),
        (beat(40, step=104), True),
        (beat(20, step=150), True),
        (beat(20, step=99), True),
        (beat(20, step=101, checkpoint=100), True),
    ],
)
def test_progress_is_written_now_and_then_and_a_checkpoint_at_once(heartbeat, written) -> None:
    run = settled(Observed(under_way(make_run()), (job(),), (running(),), (beat(10, step=100),)), 10)
    run = settled(Observed(run, (job(),), (running(),), (beat(10, step=100),)), 10)
    status = decide(Observed(run, (job(),), (running(),), (heartbeat,)), at(41)).status
    assert (status != run.status) == written
    assert status.progress.step == (heartbeat.progress.step if written else 100)


def test_progress_comes_along_when_the_status_is_written_anyway() -> None:
    run = settled(Observed(under_way(make_run()), (job(),), (running(),), (beat(10, step=100),)), 10)
    bad = beat(12, step=101, sync=SyncState(healthy=False))
    assert decide(Observed(run, (job(),), (running(),), (bad,)), at(12)).status.progress.step == 101


def test_the_columns() -> None:
    status = RunStatus(
        progress=beat(5, step=450).progress.model_copy(update={"eta_seconds": 4980}),
        metrics=Metrics(
            latest={"loss": 0.432109}, best=BestMetric(name="eval_loss", value=0.31234567, step=400)
        ),
        checkpoints=checkpoints(400),
    )
    assert display(status) == Display(
        progress="45%", step="450/1000", loss="0.4321", eta="1h23m", best="eval_loss=0.3123", checkpoint="400"
    )
    assert display(RunStatus()) == Display()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (59, "59s"), (60, "1m"), (61, "1m1s"), (3600, "1h"), (90_061, "1d1h"), (86_460, "1d")],
)
def test_lengths_of_time(seconds: int, text: str) -> None:
    assert duration(seconds) == text
