"""Setting rows aside for validation, and using a part of the rest: the same rows for the same seed.

A row's side follows from its text, the seed and two bounds, and from nothing else: rows that are
added, removed or moved change no other row's side, and identical rows stand on one side.
"""

import hashlib
import json
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainjobs.errors import InvalidRecipe
from trainjobs.ml.data.text import ReportParts, ScoredText

Indices = NDArray[np.int64]
Places = NDArray[np.uint64]
"""Where each row stands between 0 and 2⁶⁴, shape [rows]."""
END = 2**64


@dataclass(frozen=True, slots=True)
class Split:
    """Which places are for validation, and which are learned from."""

    seed: int
    validated: int
    """Rows whose place is below this are validated on."""
    learned: int
    """Of the others, rows whose place is below this are learned from."""


def place(text: ScoredText, seed: int) -> int:
    """Return the place of a row; it depends on the row's text, and not on its scores."""
    parts = [text.system_prompt, text.input_data, text.report] if isinstance(text, ReportParts) else text
    content = json.dumps(parts, ensure_ascii=True, sort_keys=True).encode()
    digest = hashlib.blake2b(content, digest_size=8, salt=seed.to_bytes(16, "little", signed=True))
    return int.from_bytes(digest.digest(), "little")


def draw(
    places: Places,
    *,
    eval_fraction: float,
    train_fraction: float,
    seed: int,
    validated: int | None = None,
) -> Split | None:
    """Choose the bounds of a split; None where all rows are learned from.

    The validation rows depend on `eval_fraction` and the seed alone, so that learning curves over
    `train_fraction` are measured on the same rows. As rows with one text are not torn apart, there may
    be a few less of either than the fractions say.

    Raises:
        InvalidRecipe: no row is left to learn from.
    """
    if not eval_fraction and train_fraction == 1.0:
        return None
    ordered = np.sort(places)
    if validated is None:
        validated = _bound(ordered, math.ceil(len(places) * eval_fraction))
    aside = int(_below(ordered, validated).sum())
    used = math.ceil((len(places) - aside) * train_fraction)
    if not used:
        different = len(np.unique(places))
        raise InvalidRecipe(
            f"spec.dataset.evalFraction: {eval_fraction:g} of {len(places)} rows with {different} different"
            " texts leaves none to train on, as equal texts stay together;"
            + (" lower it" if different > 1 else " give rows with other texts")
        )
    learned = max(_bound(ordered, aside + used), int(ordered[aside]) + 1)
    return Split(seed, validated, learned)


def assign(places: Places, split: Split | None) -> tuple[Indices, Indices | None]:
    """Return the indices of the training rows and of the validation rows (None where none are set aside).

    Both are in the order of the file.
    """
    if split is None:
        return np.arange(len(places)), None
    held_out = _below(places, split.validated)
    aside = np.flatnonzero(held_out) if split.validated else None
    return np.flatnonzero(_below(places, split.learned) & ~held_out), aside


def _bound(ordered: Places, count: int) -> int:
    """Return the bound below which `count` places lie: fewer where one place stands on both sides of it."""
    if count == 0:
        return 0
    if count == len(ordered):
        # Not the last place: rows that come later may stand behind it.
        return END
    bound = int(ordered[count])
    return bound if int(ordered[0]) < bound else int(ordered[0]) + 1


def _below(places: Places, bound: int) -> NDArray[np.bool_]:
    if bound >= END:
        return np.ones(len(places), dtype=np.bool_)
    below: NDArray[np.bool_] = places < np.uint64(bound)
    return below
