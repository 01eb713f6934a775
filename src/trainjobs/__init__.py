"""One YAML file in, a finished model out.

The public Python API; each name is imported when it is first used, so that importing `trainjobs` loads
neither torch nor anything else that takes time:

    ReportParts   the texts that a reward model for reports judges together
    RewardModel   a trained reward model: load, score, grade (`trainjobs.ml.scoring`)
    run           train a manifest on this machine (`trainjobs.local`)
    validate      read a manifest, refused as an API server would (`trainjobs.cli.manifests`)
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trainjobs.cli.manifests import validate
    from trainjobs.local import run
    from trainjobs.ml.scoring import ReportParts, RewardModel

__all__ = ["ReportParts", "RewardModel", "run", "validate"]

_HOMES = {
    "ReportParts": ("trainjobs.ml.scoring", "ReportParts"),
    "RewardModel": ("trainjobs.ml.scoring", "RewardModel"),
    "run": ("trainjobs.local", "run"),
    "validate": ("trainjobs.cli.manifests", "validate"),
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'trainjobs' has no attribute {name!r}")
    module, attribute = _HOMES[name]
    value = getattr(import_module(module), attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
