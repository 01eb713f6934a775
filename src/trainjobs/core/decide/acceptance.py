"""A run is accepted when it makes sense and the platform allows it."""

from trainjobs.api.conditions import Reason
from trainjobs.core.decide.dependencies import references
from trainjobs.core.decide.observed import Observed, Refusal


def refusal(observed: Observed) -> Refusal | None:
    """Return why the run cannot be accepted, or None. What cannot change comes first."""
    run = observed.run
    for field, reference in references(run):
        if (reference.kind, reference.name) == (run.kind, run.metadata.name):
            return Refusal(
                Reason.INVALID_SPEC,
                f"{field}.fromRun: the run cannot start from itself; name another run",
                permanent=True,
            )
    for one in sorted(observed.refusals, key=lambda refusal: not refusal.permanent):
        return one
    return None
