"""A node that fails because its peer's machine died costs what the machine's loss costs."""

from dataclasses import replace

import pytest

from tests.unit.core.decide.building import at, beat, ended, job, make_run, running, settled, under_way
from trainjobs.core.decide import decide
from trainjobs.core.decide.observed import Observed, Patience

JOBS = (job(failed=True),)
PEER = running(1)
GONE = running(1, ready_lost=at(130))


def failed(reason: str = "TrainingError", exit_code: int = 23):
    return ended(exit_code, reason, finished=at(100))


def counts(pods, beats, seconds: float) -> tuple[str, int, int]:
    run = under_way(make_run(nodes=2))
    status = decide(Observed(run, JOBS, pods, beats), at(seconds)).status
    reason = status.ended.reason if status.ended else ""
    return reason, status.restarts, status.infrastructure_restarts


@pytest.mark.parametrize(
    ("peer", "heard", "seconds", "expected"),
    [
        # The other node lives: the failure is its own.
        (PEER, 102, 103, ("TrainingError", 1, 0)),
        # It was last heard before: in doubt, until Kubernetes must have noticed.
        (PEER, 99, 103, ("", 0, 0)),
        (PEER, 100.9, 103, ("", 0, 0)),
        (PEER, 99, 159, ("", 0, 0)),
        (PEER, 99, 160, ("TrainingError", 1, 0)),
        # Its machine does not answer: in doubt until its grace is over.
        (GONE, 99, 200, ("", 0, 0)),
        (GONE, 99, 130 + 120, ("NodeLost", 0, 1)),
        # What training-operator does to the job of a failed node is not taken for the cause.
        (replace(GONE, deleted=at(101)), 99, 200, ("", 0, 0)),
        (replace(GONE, deleted=at(101)), 99, 130 + 120, ("NodeLost", 0, 1)),
        # It has ended, too.
        (ended(143, "Preempted", rank=1, finished=at(101)), 99, 103, ("TrainingError", 1, 0)),
    ],
)
def test_the_other_nodes_are_heard_first(peer, heard, seconds, expected) -> None:
    assert counts((failed(), peer), (beat(heard, rank=1),), seconds) == expected


def test_a_node_that_never_reported_is_not_waited_for() -> None:
    assert counts((failed(), PEER), (), 103) == ("TrainingError", 1, 0)


@pytest.mark.parametrize(
    ("listening", "seconds", "expected"),
    [
        # It was there before this operator listened: it may have reported to another.
        (110, 111, ("", 0, 0)),
        (110, 169, ("", 0, 0)),
        (110, 170, ("TrainingError", 1, 0)),
        # It could have been heard from its start, and never was.
        (-10, 103, ("TrainingError", 1, 0)),
    ],
)
def test_an_operator_that_has_just_begun_to_listen_waits_to_hear_the_other_nodes(
    listening, seconds, expected
) -> None:
    run = under_way(make_run(nodes=2))
    patience = Patience(listening_since=at(listening))
    status = decide(Observed(run, JOBS, (failed(), PEER), patience=patience), at(seconds)).status
    reason = status.ended.reason if status.ended else ""
    assert (reason, status.restarts, status.infrastructure_restarts) == expected


def test_what_no_peer_can_cause_is_judged_at_once() -> None:
    beats = (beat(99, rank=1),)
    assert counts((failed("InvalidData", 11), PEER), beats, 103)[0] == "InvalidData"
    assert counts((failed("HostOutOfMemory", 137), PEER), beats, 103)[0] == "HostOutOfMemory"


def test_while_in_doubt_it_is_looked_at_again_soon() -> None:
    run = under_way(make_run(nodes=2))
    observed = Observed(run, JOBS, (failed(), PEER), (beat(99, rank=1),))
    assert decide(observed, at(103)).requeue_after.total_seconds() == 2
    assert decide(observed, at(159)).requeue_after.total_seconds() == 1


def test_a_machine_that_comes_back_leaves_the_failure_to_the_node() -> None:
    run = under_way(make_run(nodes=2))
    doubtful = Observed(run, JOBS, (failed(), GONE), (beat(99, rank=1),))
    run = settled(doubtful, 200)
    back = Observed(run, JOBS, (failed(), PEER), (beat(205, rank=1),))
    assert decide(back, at(206)).status.ended.reason == "TrainingError"
