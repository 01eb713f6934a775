"""Runs that are refused."""

import pytest

from tests.unit.core.decide.building import (
    at,
    condition,
    job,
    make_kind,
    make_run,
    reasons,
    running,
    settled,
    under_way,
    with_status,
)
from trainjobs.core.decide import decide
from trainjobs.core.decide.observed import Observed, Refusal

DENIED = Refusal("PolicyDenied", "spec.podTemplate: hostPath is not allowed", permanent=True)
UNTRAINED = Refusal("Unsupported", "kind: SFTRun is not trained by this version", permanent=True)
MISSING = Refusal("BackendMissing", "PyTorchJob is not installed", permanent=False)


def test_a_run_that_names_itself_is_refused() -> None:
    run = make_kind("SFTRun", baseModel={"fromRun": {"kind": "SFTRun", "name": "scores"}})
    status = decide(Observed(run), at(0)).status
    assert condition(status, "Accepted") == ("False", "InvalidSpec")
    assert condition(status, "Failed") == ("True", "InvalidSpec")
    assert status.failure.message.startswith("spec.baseModel.fromRun: ")


@pytest.mark.parametrize(
    ("refusals", "phase", "reason"),
    [
        ((DENIED,), "Failed", "PolicyDenied"),
        ((MISSING,), "Pending", "BackendMissing"),
        ((UNTRAINED,), "Failed", "Unsupported"),
        ((MISSING, DENIED), "Failed", "PolicyDenied"),
        ((Refusal("SomethingNew", "no", permanent=True),), "Failed", "InvalidSpec"),
    ],
)
def test_refusals(refusals, phase, reason) -> None:
    decision = decide(Observed(make_run(), refusals=refusals), at(0))
    assert decision.start is None
    assert decision.status.phase == phase
    assert condition(decision.status, "Accepted") == ("False", reason)
    assert decision.events[0].type == "Warning"


def test_what_is_missing_for_now_is_looked_for_again_and_told_once() -> None:
    run = make_run()
    first = decide(Observed(run, refusals=(MISSING,)), at(0))
    assert first.requeue_after.total_seconds() == 300
    run = with_status(run, first.status)
    assert reasons(decide(Observed(run, refusals=(MISSING,)), at(300))) == []
    assert decide(Observed(run), at(600)).start.attempt == 1


def test_what_says_itself_when_it_may_pass_is_looked_at_then() -> None:
    quota = Refusal("PolicyDenied", "exceeded quota", permanent=False, again=at(20))
    assert decide(Observed(make_run(), refusals=(quota,)), at(5)).requeue_after.total_seconds() == 15


def test_what_runs_goes_on_though_it_would_be_refused_now() -> None:
    run = under_way(make_run())
    decision = decide(Observed(run, (job(),), (running(),), refusals=(DENIED,)), at(5))
    assert (decision.status.phase, decision.stop) == ("Running", ())


def test_the_next_attempt_is_refused() -> None:
    run = settled(Observed(under_way(make_run()), (), ()), 5)
    run = with_status(run, run.status.model_copy(update={"attempt": 1, "job": None}))
    assert decide(Observed(run, refusals=(DENIED,)), at(9)).status.phase == "Failed"
