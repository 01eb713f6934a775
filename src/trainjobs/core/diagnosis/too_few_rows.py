"""There is too little to learn from."""

from typing import Final

from trainjobs.core.diagnosis.facts import Facts
from trainjobs.core.diagnosis.finding import Finding

TOO_FEW: Final = 100
FEW: Final = 1000


def too_few_rows(facts: Facts) -> Finding | None:
    """Fewer than TOO_FEW training rows rarely teach anything; FEW is a good beginning."""
    rows = facts.training.train_rows
    if rows is None or rows >= FEW:
        return None
    return Finding(
        "TooFewRows",
        "Warning" if rows < TOO_FEW else "Info",
        f"{rows} training rows; at least {TOO_FEW} are needed, {FEW} are better",
        "score more rows: first those that the model is least sure of; or let a stronger model label more",
    )
