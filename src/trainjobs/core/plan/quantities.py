"""Kubernetes' quantities in numbers, and the other way."""

import math
import re
from decimal import Decimal
from typing import Final

from pydantic import JsonValue

from trainjobs.api.base import QUANTITY

_BINARY: Final = ("Ki", "Mi", "Gi", "Ti", "Pi", "Ei")
_DECIMAL: Final = {"n": -9, "u": -6, "m": -3, "k": 3, "K": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_PARTS: Final = re.compile(r"\+?([0-9.]+)(.*)")
_GIB: Final = 1024**3


def amount(quantity: JsonValue) -> float | None:
    """What a quantity comes to: `50Gi` → 53687091200.0; None for what is none."""
    if isinstance(quantity, bool) or not isinstance(quantity, int | float | str):
        return None
    text = str(quantity)
    if not re.fullmatch(QUANTITY, text):
        return None
    parts = _PARTS.fullmatch(text)
    assert parts is not None, "the pattern is the stricter one"
    number, suffix = Decimal(parts[1]), parts[2]
    if suffix in _BINARY:
        return float(number * 1024 ** (_BINARY.index(suffix) + 1))
    if suffix in _DECIMAL:
        return float(number.scaleb(_DECIMAL[suffix]))
    return float(number.scaleb(int(suffix[1:]))) if suffix else float(number)


def room_for(size: float) -> str:
    """A round quantity that holds so many bytes with a tenth to spare: some 80 GB → `90Gi`."""
    gib = size * 1.1 / _GIB
    step = 10 ** max(0, math.floor(math.log10(gib)) - 1) if gib >= 1 else 1
    return f"{math.ceil(gib / step) * step}Gi"
