"""A failed node → why its attempt ended."""

from dataclasses import replace

import pytest

from tests.unit.core.decide.building import (
    at,
    begin,
    condition,
    ended,
    job,
    make_run,
    outcome,
    pod,
    running,
    under_way,
)
from trainjobs.core.decide import decide
from trainjobs.core.decide.observed import Observed


def reason_after(*pods, nodes: int = 2) -> str:
    status = decide(Observed(under_way(make_run(nodes=nodes)), (job(),), pods), at(10)).status
    assert status.ended is None or status.failure.reason == status.ended.reason
    return status.ended.reason if status.ended else ""


@pytest.mark.parametrize(
    ("exit_code", "record", "word", "facts", "reason"),
    [
        (11, "InvalidData", "", {}, "InvalidData"),
        (11, "", "", {}, "InvalidData"),
        (23, "TrainingError", "", {}, "TrainingError"),
        # A newer agent's word: its exit code tells as much as can be known.
        (20, "DivergedSlowly", "", {}, "Diverged"),
        (77, "OutOfPatience", "", {}, "Unknown"),
        (137, "", "OOMKilled", {}, "HostOutOfMemory"),
        (23, "TrainingError", "OOMKilled", {}, "HostOutOfMemory"),
        (137, "HostOutOfMemory", "", {}, "HostOutOfMemory"),
        (137, "", "", {}, "Unknown"),
        (137, "", "", {"deleted": at(1)}, "PodLost"),
        (143, "Preempted", "", {"disrupted": "PreemptionByScheduler"}, "Preempted"),
        (143, "Preempted", "", {"disrupted": "EvictionByEvictionAPI"}, "Evicted"),
        (143, "Preempted", "", {"disrupted": "TerminationByKubelet"}, "Evicted"),
        (143, "Preempted", "", {"deleted": at(1)}, "PodLost"),
        (143, "Preempted", "", {}, "Preempted"),
        (137, "", "", {"disrupted": "EvictionByEvictionAPI"}, "Evicted"),
        (11, "InvalidData", "", {"disrupted": "EvictionByEvictionAPI"}, "InvalidData"),
        (1, "NobodyKnows", "", {}, "Unknown"),
    ],
)
def test_one_node(exit_code, record, word, facts, reason) -> None:
    assert reason_after(ended(exit_code, record, word=word, **facts), running(1)) == reason


@pytest.mark.parametrize(
    ("first", "second", "reason"),
    [
        # A peer's broken connection is the echo of what happened to the other.
        (
            ended(23, "TrainingError", finished=at(1)),
            ended(11, "InvalidData", 1, finished=at(2)),
            "InvalidData",
        ),
        (
            ended(23, "TrainingError", finished=at(1)),
            ended(143, "Preempted", 1, disrupted="PreemptionByScheduler", finished=at(2)),
            "Preempted",
        ),
        (
            ended(31, "RendezvousFailed", finished=at(1)),
            ended(23, "TrainingError", 1, finished=at(2)),
            "TrainingError",
        ),
        (ended(143, "Preempted", finished=at(1)), ended(22, "Hang", 1, finished=at(2)), "Hang"),
        # Of two that explain as much, the first.
        (
            ended(22, "Hang", finished=at(2)),
            ended(30, "StorageUnavailable", 1, finished=at(1)),
            "StorageUnavailable",
        ),
    ],
)
def test_of_several_nodes_the_one_that_explains_the_others(first, second, reason) -> None:
    assert reason_after(first, second) == reason


def test_a_pod_that_is_about_to_be_taken_away_ends_the_attempt_at_once() -> None:
    assert reason_after(running(0), running(1, disrupted="PreemptionByScheduler")) == "Preempted"


def test_a_pod_that_failed_before_its_container_ran() -> None:
    run = begin(make_run())
    evicted = pod(phase="Failed", disrupted="TerminationByKubelet")
    assert decide(Observed(run, (job(),), (evicted,)), at(1)).status.ended.reason == "Evicted"
    assert decide(Observed(run, (job(),), (pod(phase="Failed"),)), at(1)).status.ended.reason == "Unknown"


def test_the_failure_says_where_what_and_what_to_do() -> None:
    run = under_way(make_run())
    failure = decide(Observed(run, (job(),), (ended(11, "InvalidData"),)), at(10)).status.failure
    assert (failure.exit_code, failure.node) == (11, "scores-0f1e2-1-worker-0")
    assert failure.message == "node 0 on m0: says InvalidData"
    assert failure.last_lines == "the last line"
    assert "make a new run" in failure.advice


def test_a_record_of_another_attempt_does_not_count() -> None:
    run = under_way(make_run())
    foreign = ended(0, "Succeeded", outcome=outcome())
    record = foreign.termination.record.model_copy(update={"attempt": 7})
    pretending = replace(foreign, termination=replace(foreign.termination, record=record))
    status = decide(Observed(run, (job(),), (pretending,)), at(10)).status
    assert condition(status, "Succeeded")[0] == "False"


@pytest.mark.parametrize(
    "reason", ["InvalidRecipe", "InvalidData", "ModelNotFound", "AccessDenied", "Diverged"]
)
def test_what_would_fail_again_fails_the_run_at_once(reason: str) -> None:
    run = under_way(make_run())
    decision = decide(Observed(run, (job(),), (ended(10, reason),)), at(10))
    assert decision.start is None
    assert condition(decision.status, "Failed") == ("True", reason)
    assert condition(decision.status, "Finished") == ("True", reason)
    assert (decision.status.restarts, decision.status.infrastructure_restarts) == (0, 0)
