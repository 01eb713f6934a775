"""Names of the figures of named scores, and which end of each is good.

While training: `eval_loss`, `eval_pearson` of the overall score, and where there are several dimensions
`eval_accuracy_pearson` of one. In the end: `overall.pearson`, `accuracy.pearson`.
"""

from collections.abc import Sequence

from trainjobs.api.checkpoints import KeepBest
from trainjobs.api.figures import ALL, LOSS, OVERALL, SCORES, VALIDATION, Direction, FigureKind
from trainjobs.errors import InvalidRecipe


def validated(dimensions: Sequence[str]) -> list[str]:
    """Return the names of all figures that validation measures, of a model with these dimensions."""
    prefixes = ["", *(f"{name}_" for name in dimensions)] if len(dimensions) > 1 else [""]
    figures = [f"{prefix}{kind.name}" for prefix in prefixes for kind in SCORES if kind.validated]
    return [f"{VALIDATION}{name}" for name in (LOSS.name, *figures)]


def evaluated(dimensions: Sequence[str]) -> list[str]:
    """Return the names of all figures of the final evaluation, as thresholds use them."""
    return [f"{scores}.{kind.name}" for scores in (OVERALL, *dimensions) for kind in SCORES]


def kind_of(metric: str, dimensions: Sequence[str] = ()) -> FigureKind | None:
    """Return what the table says of a figure; None of one that is not in it.

    Args:
        metric: `eval_pearson`, `eval_accuracy_pearson`, `overall.pearson`, or a script's own `loss`.
        dimensions: names of the scores; without them no figure of a single dimension is known.
    """
    of_one = [f"{name}." for name in (OVERALL, *dimensions)]
    prefixes = ["", VALIDATION, *of_one, *(f"{VALIDATION}{name}_" for name in dimensions)]
    return {f"{prefix}{kind.name}": kind for prefix in prefixes for kind in ALL}.get(metric)


def direction_of(best: KeepBest, dimensions: Sequence[str] = ()) -> Direction:
    """Return which end of the metric is good: as said, or as the table knows.

    Raises:
        InvalidRecipe: neither says it.
    """
    if best.direction is not None:
        return best.direction
    kind = kind_of(best.metric, dimensions)
    if kind is None:
        raise InvalidRecipe(
            f"spec.checkpoints.keepBest.direction: needed for {best.metric}, no figure of trainjobs; "
            "give Lower or Higher"
        )
    return kind.direction


def is_better(value: float, than: float | None, direction: Direction) -> bool:
    """Whether `value` beats the best before it; the first one does."""
    return than is None or (value < than if direction == "Lower" else value > than)
