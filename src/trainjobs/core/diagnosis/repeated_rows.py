"""The model is judged on rows that it learned from."""

from typing import Final

from trainjobs.core.diagnosis.facts import Facts
from trainjobs.core.diagnosis.finding import Finding

MANY: Final = 0.01


def repeated_rows(facts: Facts) -> Finding | None:
    """A held-out text that was learned from shows what is remembered; above MANY, the figures do."""
    evaluation = facts.evaluation
    if evaluation is None or not evaluation.repeated:
        return None
    share = evaluation.repeated / evaluation.rows
    return Finding(
        "RepeatedRows",
        "Warning" if share > MANY else "Info",
        f"{evaluation.repeated:,} of {evaluation.rows:,} judged rows ({share:.1%}) have a text that"
        " was learned from, too",
        "keep equal texts on one side: remove copies, or give spec.dataset.eval and test rows of their own",
    )
