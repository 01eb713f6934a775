"""Which pods a run's own are placed by: those of its namespace alone."""

from collections.abc import Iterator
from typing import Final

from trainjobs.core.plan.objects import Object, child, children
from trainjobs.core.plan.policy.violation import TEMPLATE, Violation

_KINDS: Final = ("podAffinity", "podAntiAffinity")
_CONDITIONS: Final = "requiredDuringSchedulingIgnoredDuringExecution"
_WISHES: Final = "preferredDuringSchedulingIgnoredDuringExecution"
_ELSEWHERE: Final = ("namespaces", "namespaceSelector")


def affinity(trusted: Object, final: Object) -> Iterator[Violation]:
    """No term about pods of other namespaces.

    A pod that may not be near others keeps those others away from where it is, whoever they belong to; and
    where it is put, or why it is not, says which pods of strangers are where.
    """
    planned = [(list_, term) for list_, _, term in _terms(trusted)]
    found = [(list_, term) for list_, _, term in _terms(final)]
    for list_, field, term in _terms(final):
        if (list_, term) not in planned:
            for name in _elsewhere(term):
                yield Violation(
                    f"{field}.{name}", "not allowed; pods of the run's own namespace are meant without it"
                )
    if any(_elsewhere(term) and (list_, term) not in found for list_, term in planned):
        yield Violation(
            f"{TEMPLATE}.spec.affinity", "what the platform says of other namespaces cannot be removed"
        )


def _terms(spec: Object) -> Iterator[tuple[str, str, Object]]:
    """The terms of a pod about other pods, each with its list and its field."""
    for kind in _KINDS:
        place = child(child(spec, "affinity"), kind)
        conditions, wishes = (f"{TEMPLATE}.spec.affinity.{kind}.{one}" for one in (_CONDITIONS, _WISHES))
        for index, term in enumerate(children(place, _CONDITIONS)):
            yield conditions, f"{conditions}[{index}]", term
        for index, wish in enumerate(children(place, _WISHES)):
            yield wishes, f"{wishes}[{index}].podAffinityTerm", child(wish, "podAffinityTerm")


def _elsewhere(term: Object) -> list[str]:
    """The fields by which a term is about other namespaces; an empty selector selects all of them."""
    return [name for name in _ELSEWHERE if term.get(name) is not None and term[name] != []]
