"""The one table of figures: what each is called, which end of it is good, how it is shown.

Rules of manifests, the choice of the best checkpoint, thresholds, tables, plots and findings all read it.
"""

from dataclasses import dataclass
from typing import Final, Literal

Direction = Literal["Lower", "Higher"]
"""Which end of a figure is good."""


@dataclass(frozen=True, slots=True)
class FigureKind:
    """What is known of a figure before anything is measured."""

    name: str
    title: str
    direction: Direction
    digits: int
    """Behind the point, where it is shown."""
    validated: bool
    """Whether it is measured on the validation rows while training, as `eval_<name>`."""


LOSS: Final = FigureKind("loss", "Loss", "Lower", digits=4, validated=True)
ACCURACY: Final = FigureKind("accuracy", "Accuracy", "Higher", digits=3, validated=False)
"""Of a script of one's own: nothing of ours measures it."""

SCORES: Final = (
    FigureKind("pearson", "Pearson", "Higher", digits=3, validated=True),
    FigureKind("spearman", "Spearman", "Higher", digits=3, validated=False),
    FigureKind("mae", "MAE", "Lower", digits=3, validated=True),
    FigureKind("rmse", "RMSE", "Lower", digits=3, validated=False),
    FigureKind("mse", "MSE", "Lower", digits=3, validated=True),
)
"""Of predicted against true scores, in the order of every table: all of them are measured in the end."""

ALL: Final = (LOSS, ACCURACY, *SCORES)
VALIDATION: Final = "eval_"
"""What a figure of the validation rows begins with."""
OVERALL: Final = "overall"
"""The mean of all dimensions, in the name of a final figure: `overall.pearson`."""


def names(direction: Direction) -> tuple[str, ...]:
    """Return the figures of which this end is good."""
    return tuple(kind.name for kind in ALL if kind.direction == direction)
