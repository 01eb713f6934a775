"""JSON that is nested as deep as an API server takes it.

Whoever may create runs writes their `podTemplate`, of which the API server bounds no depth but its own. One
manifest that could not be decoded would end the watch of all runs, and again at every start.
"""

import sys
from typing import Final

DEEPEST: Final = 10_000
"""Levels that API servers decode (Go's `encoding/json`)."""
_CALLS: Final = 2
"""A level costs, where what was decoded is copied."""
_ABOVE: Final = 1_000
"""Calls that are on the stack already."""


def read_as_deep_as_api_servers() -> None:
    """From now on JSON of that depth is decoded and copied; a stack of 4 MiB holds it."""
    sys.setrecursionlimit(max(sys.getrecursionlimit(), _CALLS * DEEPEST + _ABOVE))
