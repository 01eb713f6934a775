"""One thing that the operator does not allow, and where a pod template asks for it."""

from collections.abc import Iterator
from dataclasses import dataclass

from trainjobs.api.conditions import Reason
from trainjobs.core.plan.objects import Object

TEMPLATE = "spec.podTemplate"


@dataclass(frozen=True, slots=True)
class Violation:
    """The field that asks for it, and what to do."""

    field: str
    message: str
    reason: Reason = Reason.POLICY_DENIED

    def __str__(self) -> str:
        return f"{self.field}: {self.message}"


def unlisted(field: str, trusted: Object, final: Object, allowed: frozenset[str]) -> Iterator[Violation]:
    """Fields that are not listed stand as they were trusted: neither given, nor changed, nor removed."""
    for name in sorted((trusted.keys() | final.keys()) - allowed):
        if changed(trusted, final, name):
            yield Violation(f"{field}.{name}", "not allowed in runs; remove it")


def changed(trusted: Object, final: Object, name: str) -> bool:
    """Whether a field holds something else than it was trusted to hold."""
    return (name in trusted) != (name in final) or trusted.get(name) != final.get(name)
