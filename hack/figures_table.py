"""Writes docs/reference/figures.md: what is measured of named scores."""

from trainjobs.api.figures import LOSS, OVERALL, SCORES, VALIDATION

HEAD = """<!-- Generated from trainjobs.api.figures by `make generate`; do not edit. -->
# Figures

What a `RewardModelRun` with `Regression` measures, all but the loss in the scale of the rows. Where there
are several dimensions, each has its own: `eval_accuracy_pearson` while training, `accuracy.pearson` in the
end. Which end is good is known: `keepBest`, `earlyStopping`, thresholds and `trainjobs checkpoints` need no
direction, and refuse the opposite.

| figure | while training (`keepBest.metric`) | in the end (`thresholds[].metric`) | better |
|---|---|---|---|
"""


def main() -> None:
    """Print the page."""
    rows = []
    for kind in (LOSS, *SCORES):
        training = f"`{VALIDATION}{kind.name}`" if kind.validated else ""
        end = "" if kind is LOSS else f"`{OVERALL}.{kind.name}`"
        rows.append(f"| {kind.title} | {training} | {end} | {kind.direction.lower()} |\n")
    print(HEAD + "".join(rows), end="")


if __name__ == "__main__":
    main()
