"""Scores in the scale of the rows, and in the scale in which a head learns best."""

import numpy as np
from numpy.typing import NDArray

from trainjobs.api.objective import Regression
from trainjobs.ml.modeling.cards import Normalization

Scores = NDArray[np.float64]


def fit_normalization(regression: Regression, scores: Scores) -> Normalization:
    """Return how outputs become scores.

    Args:
        regression: dimensions and the kind of normalisation.
        scores: the training rows' scores, shape [rows, dimensions]. With Standard, a dimension
            whose scores are all equal keeps a deviation of 1: there is nothing to scale.
    """
    dimensions = regression.dimensions
    match regression.normalization:
        case "None":
            center, scale = [0.0] * len(dimensions), [1.0] * len(dimensions)
        case "Range":
            center = [d.minimum for d in dimensions]
            scale = [d.maximum - d.minimum for d in dimensions]
        case "Standard":
            center = [float(x) for x in scores.mean(axis=0)]
            scale = [float(x) if x > 1e-8 else 1.0 for x in scores.std(axis=0)]
    return Normalization(kind=regression.normalization, center=center, scale=scale)


def to_outputs(scores: Scores, normalization: Normalization) -> Scores:
    """Return what the head should put out for `scores`; both [rows, dimensions]."""
    outputs: Scores = (scores - np.array(normalization.center)) / np.array(normalization.scale)
    return outputs


def to_scores(outputs: Scores, normalization: Normalization) -> Scores:
    """Return the scores that `outputs` mean; both [rows, dimensions]. Not clipped to the range."""
    scores: Scores = outputs * np.array(normalization.scale) + np.array(normalization.center)
    return scores
