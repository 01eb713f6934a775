"""Trying again while storage is away."""

import random
import time
from collections.abc import Callable
from typing import TypeVar

from trainjobs.storage.outage import Outage
from trainjobs.storage.s3_words import Refusal

Result = TypeVar("Result")

FIRST_WAIT = 0.2
LONGEST_WAIT = 10.0


def with_retries(
    operation: Callable[[], Result],
    explain: Callable[[Exception], Refusal],
    *,
    errors: tuple[type[Exception], ...],
    seconds: float,
    outage: Outage,
) -> Result:
    """Run an operation until it succeeds, is refused for good, or `seconds` have passed.

    Waits grow twofold and are drawn at random from zero up ("full jitter"), so that the nodes of a
    run do not come back in step. Source: Brooker, Exponential Backoff and Jitter, AWS, 2015.
    """
    deadline = time.monotonic() + seconds
    longest = FIRST_WAIT
    while True:
        try:
            result = operation()
        except errors as error:
            refusal = explain(error)
            if not refusal.transient or time.monotonic() >= deadline:
                raise refusal.error from error
        else:
            if longest > FIRST_WAIT:
                outage.over()
            return result
        outage.wait(refusal.error, min(random.uniform(0, longest), max(deadline - time.monotonic(), 0)))
        longest = min(longest * 2, LONGEST_WAIT)
