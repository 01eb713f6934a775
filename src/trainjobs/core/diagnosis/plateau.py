"""The loss does not move."""

from typing import Final

from trainjobs.core.diagnosis.curves import LOSS, Curve
from trainjobs.core.diagnosis.facts import Facts
from trainjobs.core.diagnosis.finding import Finding, Patch

FEWEST_POINTS: Final = 10
"""A plateau is not called before this many points."""
FLAT: Final = 0.03
"""A training loss that fell by less than this part of its start has not moved."""
HIGH_RATE: Final = 1e-3
"""Above this rate a flat loss means steps that are too large."""
FACTOR: Final = 3.0


def plateau(facts: Facts) -> Finding | None:
    """Training loss ends where it began."""
    train = Curve.of(facts.history, LOSS)
    if len(train) < FEWEST_POINTS or abs(train.start - train.end) > FLAT * abs(train.start):
        return None
    advice, patch = _advice(facts.training.learning_rate)
    return Finding(
        "Plateau",
        "Warning",
        f"training loss has not moved: {train.start:.4f} at the start, {train.end:.4f} at the end",
        f"{advice}; then look at the rows: do their scores depend on the text?",
        patch,
    )


def _advice(rate: float | None) -> tuple[str, Patch | None]:
    if rate is None:
        return "try another learning rate", None
    if rate > HIGH_RATE:
        return "lower the learning rate", {"spec": {"training": {"learningRate": rounded(rate / FACTOR)}}}
    return "raise the learning rate", {"spec": {"training": {"learningRate": rounded(rate * FACTOR)}}}


def rounded(rate: float) -> float:
    """A rate to two digits, as people write them."""
    return float(f"{rate:.1e}")
