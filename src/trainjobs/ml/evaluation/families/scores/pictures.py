"""Pictures of predicted against true scores."""

from collections.abc import Iterator, Sequence

import numpy as np

from trainjobs.ml.evaluation.report.blocks import Plot, Plots
from trainjobs.ml.evaluation.report.plots import agreement_plot, histogram_plot, residual_plot
from trainjobs.ml.evaluation.results import EvaluationResult, PredictedRow


def pictures(rows: Sequence[PredictedRow], result: EvaluationResult) -> Iterator[Plots]:
    """Yield the pictures of every group."""
    details = {one.name: one for one in (result.details.overall, *result.details.dimensions)}
    for group in result.groups:
        name, one = group.name, details[group.name]
        true = np.array([row.true[name] for row in rows])
        predicted = np.array([row.predicted[name] for row in rows])
        agreed = agreement_plot(true, predicted, (one.minimum, one.maximum), f"{name} predicted")
        yield Plots(
            name,
            [
                Plot("Model against annotators", agreed),
                Plot("How far off, by score", residual_plot(true, predicted, f"{name} residuals")),
                Plot("How far off, in all", histogram_plot(predicted - true, f"{name} residual histogram")),
            ],
        )
