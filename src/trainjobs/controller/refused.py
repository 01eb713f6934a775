"""What would not be taken of a run, or not be planned: for good, or to be tried again, ever less often."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from trainjobs.api.conditions import Reason
from trainjobs.core.decide.observed import Refusal
from trainjobs.errors import InvalidRecipe
from trainjobs.kube.errors import Denied, Forbidden, Invalid, NotFound

ASK_FIRST: Final = timedelta(seconds=10)
"""How soon an object that the API server would not take is tried again: a kind that it has only just learned
of passes by itself, a quota perhaps never."""
ASK_LAST: Final = timedelta(minutes=5)
"""How late at most, when it is refused again and again."""
Refusing = Invalid | Forbidden | NotFound | InvalidRecipe
DENIED_FOR: Final = timedelta(minutes=10)
"""How long a webhook or a policy of the cluster has to say no before it counts as its last word."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Something of a run was refused."""

    refusal: Refusal
    generation: int
    """Of the run that was refused; a changed one is tried at once."""
    since: datetime
    """When it was refused first."""
    until: datetime
    """When to try again all the same."""
    wait: timedelta
    """How long that is from when it was refused."""


def refused(error: Refusing, what: str, generation: int, before: Refused | None, now: datetime) -> Refused:
    """What follows from an error of the API server, or of the plan of what it was to be given.

    An object that breaks a rule of its kind breaks it the next time, too. A webhook or a policy may have been
    wrong for a moment. A quota, a right that the operator lacks, and a kind that the cluster does not know
    are for others to give, at any time. What cannot be planned although nothing was refused before is perhaps
    the platform's fault.

    Args:
        error: what was answered.
        what: the object that was not made.
        generation: of the run.
        before: what was refused of the run the last time.
        now: the time.
    """
    since, wait = now, ASK_FIRST
    if before is not None and before.generation == generation:
        since, wait = before.since, min(2 * before.wait, ASK_LAST)
    reason = Reason.INVALID_SPEC
    if isinstance(error, Forbidden):
        reason = Reason.POLICY_DENIED
    elif isinstance(error, NotFound):
        reason = Reason.BACKEND_MISSING
    denied = isinstance(error, Denied) and now - since >= DENIED_FOR
    if isinstance(error, InvalidRecipe):
        message = f"{what} cannot be planned: {error}"
    else:
        message = f"the API server refuses {what}: {error.said}"
    permanent = isinstance(error, Invalid) or denied
    until = now + wait
    return Refused(Refusal(reason, message, permanent, until), generation, since, until, wait)
