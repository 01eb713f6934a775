"""Setting rows aside for validation, and using a part of the rest: the same rows for the same seed."""

import math

import numpy as np
from numpy.typing import NDArray

from trainjobs.errors import InvalidRecipe

Indices = NDArray[np.int64]


def split(
    rows: int, *, eval_fraction: float, train_fraction: float, seed: int
) -> tuple[Indices, Indices | None]:
    """Return the indices of the training rows and of the validation rows (None without a fraction).

    Both are in the order of the file. The validation rows depend on `eval_fraction` and the seed
    alone, so that learning curves over `train_fraction` are measured on the same rows.
    """
    order = np.random.Generator(np.random.PCG64(seed)).permutation(rows)
    aside = math.ceil(rows * eval_fraction) if eval_fraction else 0
    used = math.ceil((rows - aside) * train_fraction)
    if not used:
        raise InvalidRecipe(
            f"spec.dataset.evalFraction: {eval_fraction:g} of {rows} rows leaves none to train on; lower it"
        )
    return np.sort(order[aside : aside + used]), np.sort(order[:aside]) if aside else None
