"""Conditions of a status: read and set, with a transition time that moves only when the status flips."""

from datetime import datetime
from typing import Final, Literal

from trainjobs.api.conditions import ConditionType, Reason
from trainjobs.api.status import Condition, RunStatus

MESSAGE_LENGTH: Final = 1024
"""Longer ones are cut: what a scheduler or a user's program writes has no bound of its own."""


def find(status: RunStatus, type_: ConditionType) -> Condition | None:
    """The condition of that type, where there is one."""
    return next((condition for condition in status.conditions if condition.type == type_), None)


def holds(status: RunStatus, type_: ConditionType) -> bool:
    """Whether the condition is there and true."""
    condition = find(status, type_)
    return condition is not None and condition.status == "True"


def reason_of(status: RunStatus, type_: ConditionType) -> str:
    """The condition's reason; empty where there is no such condition."""
    condition = find(status, type_)
    return condition.reason if condition else ""


def true(status: RunStatus, type_: ConditionType, reason: Reason, message: str, now: datetime) -> RunStatus:
    """`status` with the condition true."""
    return _with(status, "True", type_, reason, message, now)


def false(status: RunStatus, type_: ConditionType, reason: Reason, message: str, now: datetime) -> RunStatus:
    """`status` with the condition false."""
    return _with(status, "False", type_, reason, message, now)


def unknown(
    status: RunStatus, type_: ConditionType, reason: Reason, message: str, now: datetime
) -> RunStatus:
    """`status` with the condition neither true nor false yet."""
    return _with(status, "Unknown", type_, reason, message, now)


def without(status: RunStatus, *types: ConditionType) -> RunStatus:
    """`status` without the conditions of these types, so that their next transition is a new one."""
    kept = [condition for condition in status.conditions if condition.type not in types]
    return status.model_copy(update={"conditions": kept})


def steadied(before: RunStatus, after: RunStatus) -> RunStatus:
    """`after` without transitions that came and went within one decision."""
    was = {old.type: old for old in before.conditions}
    kept = [
        new.model_copy(update={"last_transition_time": old.last_transition_time})
        if (old := was.get(new.type)) is not None and old.status == new.status
        else new
        for new in after.conditions
    ]
    return after.model_copy(update={"conditions": kept})


def clipped(message: str) -> str:
    """`message` in one piece of bounded length."""
    return message if len(message) <= MESSAGE_LENGTH else message[: MESSAGE_LENGTH - 1] + "…"


def _with(
    status: RunStatus,
    value: Literal["True", "False", "Unknown"],
    type_: ConditionType,
    reason: Reason,
    message: str,
    now: datetime,
) -> RunStatus:
    new = Condition(
        type=type_,
        status=value,
        reason=reason,
        message=clipped(message),
        last_transition_time=now,
        observed_generation=status.observed_generation,
    )
    old = find(status, type_)
    if old is None:
        return status.model_copy(update={"conditions": [*status.conditions, new]})
    if old.status == new.status:
        new = new.model_copy(update={"last_transition_time": old.last_transition_time})
    conditions = [new if condition is old else condition for condition in status.conditions]
    return status.model_copy(update={"conditions": conditions})
