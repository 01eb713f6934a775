"""What the API server would not take: for good at once, for good after a while, or asked again."""

from datetime import timedelta
from typing import Any

import pytest

from tests.unit.core.decide.building import at, condition, make_run
from trainjobs.controller.refused import ASK_FIRST, ASK_LAST, DENIED_FOR, Refused, refused
from trainjobs.core.decide import decide
from trainjobs.core.decide.observed import Observed
from trainjobs.errors import InvalidRecipe
from trainjobs.kube.errors import Denied, Forbidden, Invalid, NotFound

SAID = {
    Invalid: 'PyTorchJob.kubeflow.org "x" is invalid: spec.replicas: must be positive',
    Denied: 'admission webhook "images.example.com" denied the request: not from our registry',
    NotFound: "404 page not found",
    Forbidden: 'pytorchjobs.kubeflow.org "x" is forbidden: exceeded quota: none',
}


def again_and_again(kind: Any, minutes: float, *, generation: int = 1) -> Refused:
    """Refused from the start on, and whenever it is asked again, for so long."""
    last, time = None, at(0)
    while True:
        last = refused(kind(f"POST /x: {SAID[kind]}", SAID[kind]), "PyTorchJob x", generation, last, time)
        if last.refusal.permanent or last.until > at(60 * minutes):
            return last
        time = last.until


def test_an_object_that_breaks_a_rule_ends_the_run_at_once_with_the_servers_words() -> None:
    last = again_and_again(Invalid, 60)
    assert last.since == at(0)
    status = decide(Observed(make_run(), refusals=(last.refusal,)), at(0)).status
    assert condition(status, "Accepted") == ("False", "InvalidSpec")
    assert condition(status, "Failed") == ("True", "InvalidSpec")
    assert status.failure is not None
    assert status.failure.message == f"the API server refuses PyTorchJob x: {SAID[Invalid]}"


def test_a_webhook_that_goes_on_saying_no_ends_the_run_and_one_that_just_begins_does_not() -> None:
    assert not again_and_again(Denied, 5).refusal.permanent
    last = again_and_again(Denied, 60)
    assert last.refusal.permanent
    asked = last.until - last.wait
    assert DENIED_FOR <= asked - last.since <= DENIED_FOR + ASK_LAST
    assert condition(decide(Observed(make_run(), refusals=(last.refusal,)), asked).status, "Failed") == (
        "True",
        "PolicyDenied",
    )


def test_a_quota_is_asked_for_ever_less_often_and_never_the_last_word() -> None:
    last = again_and_again(Forbidden, 600)
    assert (last.refusal.permanent, last.wait) == (False, ASK_LAST)


def test_a_kind_that_the_cluster_does_not_know_is_waited_for() -> None:
    last = again_and_again(NotFound, 600)
    assert (last.refusal.permanent, last.wait) == (False, ASK_LAST)
    status = decide(Observed(make_run(), refusals=(last.refusal,)), at(0)).status
    assert condition(status, "Accepted") == ("False", "BackendMissing")
    assert status.phase == "Pending"


@pytest.mark.parametrize("kind", [Denied, Forbidden])
def test_a_changed_run_is_asked_for_anew(kind: Any) -> None:
    last = again_and_again(kind, 9)
    changed = refused(kind("no", "no"), "PyTorchJob x", 2, last, last.until)
    assert (changed.since, changed.wait) == (last.until, ASK_FIRST)
    assert changed.until - changed.since == timedelta(seconds=10)


def test_what_cannot_be_planned_is_said_and_tried_ever_later() -> None:
    last, waits = None, []
    for _ in range(8):
        now = last.until if last is not None else at(0)
        last = refused(InvalidRecipe("spec.training: too much"), "attempt 2", 1, last, now)
        waits.append(last.until - now)

    assert waits[:3] == [ASK_FIRST, 2 * ASK_FIRST, 4 * ASK_FIRST]
    assert waits[-1] == ASK_LAST
    decision = decide(Observed(make_run(), refusals=(last.refusal,)), at(0))
    assert condition(decision.status, "Accepted") == ("False", "InvalidSpec")
    assert condition(decision.status, "Failed")[0] == "False"
    assert last.refusal.message == "attempt 2 cannot be planned: spec.training: too much"
    assert at(0) + decision.requeue_after == last.until
