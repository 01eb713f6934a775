"""A training that stopped moving."""

from trainjobs.core.recipe.model import Limits


def hang_message(limits: Limits, *, silent_seconds: float, step: int | None, at_end: bool) -> str | None:
    """Return why the training counts as hung, or None.

    Time before the first step (loading, compiling) and after the last one (evaluation, report)
    counts against `startTimeoutSeconds`, time between steps against `hangTimeoutSeconds`.
    """
    between_steps = step is not None and not at_end
    allowed = limits.hang_timeout_seconds if between_steps else limits.start_timeout_seconds
    if silent_seconds <= allowed:
        return None
    if step is None:
        return f"no first step within {allowed} s (spec.runPolicy.startTimeoutSeconds)"
    if at_end:
        return f"no end within {allowed} s after the last step {step} (spec.runPolicy.startTimeoutSeconds)"
    return f"no step within {allowed} s after step {step} (spec.runPolicy.hangTimeoutSeconds)"
