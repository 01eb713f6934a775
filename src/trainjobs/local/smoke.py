"""A rehearsal: one batch is trained, and all that follows is done, in a folder that goes away."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from trainjobs.api.checkpoints import Checkpoints
from trainjobs.api.runs import Run
from trainjobs.api.tracking import Tracking
from trainjobs.core.decide.dependencies import references
from trainjobs.core.recipe.support import check_support
from trainjobs.errors import UsageError
from trainjobs.local.driver import Watcher
from trainjobs.local.folder import RunFolder
from trainjobs.local.session import Options, Result, check_storage, run_all
from trainjobs.local.trackers import check_trackers


def try_all(runs: Sequence[Run], options: Options, watcher: Watcher) -> Iterator[Result]:
    """Rehearse each of `runs` after those it starts from; yield how each ended.

    Data are read whole and judged, the model is loaded, one step is trained and saved, evaluation and report
    are made, and storage is asked whether it would take them. What was there before stays as it is.

    Raises:
        InvalidRecipe: this version cannot train one of them.
        UsageError: a run is a script of the user's own, whose steps only it can limit.
        InvalidRecipe: a tracker that the run itself will need is not installed.
        AccessDenied, StorageUnavailable: the run's storage would not do.
        Others as of `run_all`.
    """
    check_support(runs)
    rehearsals = [rehearsal(run) for run in runs]
    for run in runs:
        check_trackers(run)
        check_storage(run, options)
    with _room(runs, options.root) as root:
        yield from run_all(rehearsals, replace(options, root=root), watcher)


def rehearsal(run: Run) -> Run:
    """The run with one step to train, no second try, no threshold to miss, and nobody to tell but us.

    Raises:
        UsageError: it is a script of the user's own.
    """
    spec = run.spec
    if spec.runtime.command:
        raise UsageError(
            f"--smoke: {run.metadata.name} runs a script of your own (spec.runtime.command), whose steps "
            "only it can limit; try it with its own flags"
        )
    training = spec.training.model_copy(
        update={"epochs": None, "max_steps": 1, "log_every_steps": 1, "early_stopping": None}
    )
    changed = {
        "training": training,
        "checkpoints": Checkpoints(keep_best=spec.checkpoints.keep_best),
        "evaluation": spec.evaluation.model_copy(update={"thresholds": [], "bootstrap_samples": 0}),
        "run_policy": spec.run_policy.model_copy(
            update={"max_restarts": 0, "max_infrastructure_restarts": 0, "suspend": False}
        ),
        "tracking": Tracking(),
    }
    present = {name: value for name, value in changed.items() if name in type(spec).model_fields}
    return run.model_copy(update={"spec": spec.model_copy(update=present)})


@contextmanager
def _room(runs: Sequence[Run], root: Path) -> Iterator[Path]:
    """A root of its own, on the disk of the real one, where the runs that these start from are found."""
    root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".smoke-", dir=root) as name:
        here = Path(name)
        rehearsed = {(run.kind, run.metadata.name) for run in runs}
        for _, source in (found for run in runs for found in references(run)):
            real = RunFolder.of(root, source.kind, source.name).path
            link = RunFolder.of(here, source.kind, source.name).path
            if (source.kind, source.name) not in rehearsed and real.is_dir() and not link.is_symlink():
                link.parent.mkdir(parents=True, exist_ok=True)
                link.symlink_to(real.absolute())
        yield here
