"""Trackers: begun by us under the manifest's own names, fed by the library's callbacks, ended by us.

Left to the callbacks, one name would do for all of them, SwanLab (0.10) would not begin at all, and
MLflow (3.17) would refuse a folder.
"""

import importlib
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from trainjobs.api.tracking import Tracker
from trainjobs.core.outputs import TRACKING
from trainjobs.core.recipe.model import Recipe
from trainjobs.core.trackers import missing, package_of
from trainjobs.errors import AccessDenied, InvalidRecipe, TrainingError

PROJECT: Final = "trainjobs"
"""Project of a tracker whose manifest names none."""
End = Callable[[], None]
_UNREACHABLE: Final = ("CommError", "ConnectionError", "HTTPError", "MlflowException", "TimeoutError")
"""Errors of the packages that may pass by themselves."""


def report_to(recipe: Recipe) -> list[str]:
    """Return the library's names of the recipe's trackers. InvalidRecipe when one is not installed."""
    for field, words in missing(recipe.tracking, lambda package: find_spec(package) is not None):
        raise InvalidRecipe(f"{field}: {words}")
    return [package_of(tracker) for tracker in recipe.tracking.trackers if tracker.mode != "Disabled"]


def environment(output: Path) -> dict[str, str]:
    """Return the variables that the library's callbacks read when they are made."""
    return {"TENSORBOARD_LOGGING_DIR": str(output / TRACKING / "tensorboard")}


@contextmanager
def tracked(recipe: Recipe, output: Path, *, leads: bool) -> Iterator[None]:
    """Have the recipe's trackers begun while the block runs; their local files go below `output`.

    Args:
        recipe: with its trackers, each under the run's name unless it has its own.
        output: the run's folder.
        leads: whether this process is the one that reports.

    Raises:
        AccessDenied: a tracker refused to begin, mostly for want of its key.
        TrainingError: its server cannot be reached.
    """
    with ExitStack() as ending:
        for index, tracker in enumerate(recipe.tracking.trackers):
            if tracker.mode == "Disabled" or not leads:
                continue
            folder = output / TRACKING / package_of(tracker)
            folder.mkdir(parents=True, exist_ok=True)
            name = tracker.run_name or recipe.run.name
            try:
                ending.callback(_BEGIN[tracker.type](tracker, name, folder))
            except Exception as error:
                raise _refused(index, tracker, error) from error
        yield


def _refused(index: int, tracker: Tracker, error: Exception) -> AccessDenied | TrainingError:
    words = (str(error).strip().splitlines() or [type(error).__name__])[0]
    what = f"spec.tracking.trackers[{index}]: {tracker.type} does not begin: {words}"
    if type(error).__name__ in _UNREACHABLE:
        return TrainingError(f"{what}; mode: Offline needs no server")
    return AccessDenied(f"{what}; give its key by secretName, or set mode: Offline")


def _tensorboard(_tracker: Tracker, _name: str, _folder: Path) -> End:
    # Its callback begins it, where `environment` says.
    return lambda: None


def _wandb(tracker: Tracker, name: str, folder: Path) -> End:
    wandb = importlib.import_module("wandb")
    given = _given(entity=tracker.entity)
    settings = wandb.Settings(silent=True, **_given(base_url=tracker.uri))
    mode = tracker.mode.lower()
    wandb.init(
        project=tracker.project or PROJECT, name=name, dir=str(folder), mode=mode, settings=settings, **given
    )
    return _call(wandb.finish)


def _swanlab(tracker: Tracker, name: str, folder: Path) -> End:
    swanlab = importlib.import_module("swanlab")
    given = _given(workspace=tracker.entity)
    if tracker.uri is not None:
        given["settings"] = swanlab.Settings(api_host=tracker.uri, web_host=tracker.uri)
    mode = tracker.mode.lower()
    swanlab.init(project=tracker.project or PROJECT, name=name, log_dir=str(folder), mode=mode, **given)
    return _call(swanlab.finish)


def _mlflow(tracker: Tracker, name: str, folder: Path) -> End:
    mlflow = importlib.import_module("mlflow")
    uri = tracker.uri or os.environ.get("MLFLOW_TRACKING_URI") if tracker.mode == "Online" else None
    if uri is None:
        # Its client asks for this word before it writes files without a database.
        os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"
        # By the rule of the web, which MLflow reads by: encoded, unlike our own.
        uri = folder.absolute().as_uri()
    mlflow.set_tracking_uri(uri)
    mlflow.set_experiment(tracker.project or PROJECT)
    mlflow.start_run(run_name=name)
    return _call(mlflow.end_run)


def _call(function: Callable[[], Any]) -> End:
    def end() -> None:
        function()

    return end


def _given(**values: str | None) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


_BEGIN: Final[Mapping[str, Callable[[Tracker, str, Path], End]]] = {
    "TensorBoard": _tensorboard,
    "WandB": _wandb,
    "SwanLab": _swanlab,
    "MLflow": _mlflow,
}
