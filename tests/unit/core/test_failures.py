"""The table of failures agrees with the error tree and leaves nothing out."""

import pytest

from trainjobs import errors
from trainjobs.api.conditions import Reason
from trainjobs.core.failures import TABLE, Budget, kind_of, kind_of_exit

AGENT_ERRORS = [
    error
    for error in vars(errors).values()
    if isinstance(error, type)
    and issubclass(error, errors.TrainjobsError)
    and error.exit_code >= 10
    # Never of an agent: the program that starts it refuses.
    and error is not errors.RunInUse
]


@pytest.mark.parametrize("error", AGENT_ERRORS, ids=lambda error: error.__name__)
def test_every_error_of_an_agent_is_in_the_table_with_its_exit_code(error) -> None:
    kind = TABLE[Reason(error.reason)]
    assert kind.exit_code == error.exit_code
    assert kind.advice


@pytest.mark.parametrize(
    ("budget", "reasons"),
    [
        (
            Budget.NONE,
            "InvalidRecipe InvalidData ModelNotFound AccessDenied Diverged AcceleratorOutOfMemory "
            "ImagePullFailed SchedulingTimeout",
        ),
        (Budget.RESTARTS, "Hang TrainingError HostOutOfMemory StartTimeout Unknown"),
        (
            Budget.INFRASTRUCTURE,
            "Preempted Evicted NodeLost PodLost StorageUnusable RendezvousFailed HubUnavailable",
        ),
        (Budget.WAITS, "StorageUnavailable"),
    ],
)
def test_what_a_failure_costs(budget: Budget, reasons: str) -> None:
    for reason in reasons.split():
        assert kind_of(reason).budget is budget
        assert kind_of(reason).permanent == (budget is Budget.NONE)


@pytest.mark.parametrize("word", ["SomethingNew", "", "Succeeded"])
def test_a_word_that_names_no_failure_is_an_unknown_one(word: str) -> None:
    assert kind_of(word).reason is Reason.UNKNOWN


@pytest.mark.parametrize(("code", "reason"), [(11, "InvalidData"), (143, "Preempted"), (1, "Unknown")])
def test_an_exit_code_without_a_record_names_the_failure(code: int, reason: str) -> None:
    assert kind_of_exit(code).reason == reason


def test_a_kill_alone_is_not_taken_for_a_want_of_memory() -> None:
    assert kind_of_exit(137).reason is Reason.UNKNOWN
