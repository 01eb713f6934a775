"""Validation says something else each time, or cannot tell good from bad."""

from itertools import pairwise
from typing import Final

from trainjobs.core.diagnosis.curves import EVAL_LOSS, Curve, mean
from trainjobs.core.diagnosis.facts import Facts
from trainjobs.core.diagnosis.finding import Finding

FEWEST_EVALUATIONS: Final = 5
TURNS: Final = 0.5
"""Part of the validations after which the loss turns round."""
JUMP: Final = 0.1
"""Mean jump between two validations, as a part of the loss."""
WIDE: Final = 0.2
"""An interval of the Pearson correlation wider than this tells little."""


def noisy_evaluation(facts: Facts) -> Finding | None:
    """Validation loss jumps up and down, or the final correlation is known only roughly: too few rows."""
    message = _jumping(Curve.of(facts.history, EVAL_LOSS)) or _wide(facts)
    if message is None:
        return None
    return Finding(
        "NoisyEvaluation",
        "Warning",
        message,
        "hold out more rows, so that small differences between models mean something",
    )


def _jumping(judged: Curve) -> str | None:
    if len(judged) < FEWEST_EVALUATIONS:
        return None
    moves = [after - before for before, after in pairwise(judged.values)]
    turns = sum(1 for before, after in pairwise(moves) if before * after < 0)
    jump = mean([abs(move) for move in moves])
    if turns < TURNS * (len(moves) - 1) or jump < JUMP * abs(mean(judged.values)):
        return None
    return f"validation loss turned round {turns} times in {len(judged)} validations, by {jump:.3f} each"


def _wide(facts: Facts) -> str | None:
    evaluation, scores = facts.evaluation, facts.scores
    if evaluation is None or scores is None or scores.overall.pearson_interval is None:
        return None
    low, high = scores.overall.pearson_interval
    if high - low <= WIDE:
        return None
    rows = evaluation.rows
    return f"with {rows} rows the Pearson correlation lies anywhere from {low:.2f} to {high:.2f}"
