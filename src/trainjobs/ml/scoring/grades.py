"""Letter grades of overall scores."""

from typing import Final, Literal

Grade = Literal["A", "B", "C", "D", "E"]

BANDS: Final[tuple[tuple[float, Grade], ...]] = ((0.9, "A"), (0.8, "B"), (0.7, "C"), (0.6, "D"))
"""Lowest normalised overall score of each grade; on a scale from 0 to 5 these are 4.5, 4.0, 3.5 and 3.0."""
LOWEST: Final[Grade] = "E"
ROUNDING: Final = 1e-6
"""A score this close below a band belongs to it: 4.5 of 5 is not always exactly 0.9 in float32."""


def grade(normalized: float) -> Grade:
    """The letter of an overall score that was mapped to 0…1 by the dimensions' ranges."""
    for lowest, letter in BANDS:
        if normalized >= lowest - ROUNDING:
            return letter
    return LOWEST
