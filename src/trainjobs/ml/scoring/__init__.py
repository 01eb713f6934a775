"""A trained reward model as a library: load it, score texts, grade and filter them.

Its names are imported when they are first used: the grades alone need no torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trainjobs.ml.data.text import ReportParts
    from trainjobs.ml.scoring.reward_model import RewardModel, Score

__all__ = ["ReportParts", "RewardModel", "Score"]

_HOMES = {
    "ReportParts": "trainjobs.ml.data.text",
    "RewardModel": "trainjobs.ml.scoring.reward_model",
    "Score": "trainjobs.ml.scoring.reward_model",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
