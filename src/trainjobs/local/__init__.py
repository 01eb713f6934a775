"""The same decisions as in a cluster, carried out by processes on this machine.

`session` takes manifests and runs them in dependency order; `driver` is one run's control loop:
observe, decide (`core.decide`), carry out by `nodes`. `leader` and `follower` spread one run over
several machines.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trainjobs.local.session import Result


def run(manifest: str | Path, *, overrides: Sequence[str] = (), root: str | Path = "runs") -> "list[Result]":
    """Train on this machine what a manifest describes, as `trainjobs run` does, without showing progress.

    Args:
        manifest: a YAML file with one run or more.
        overrides: `path=value`, as `--set` takes them.
        root: where runs live.

    Returns:
        How each run ended, in the order they ran; `exit_code` is 0 where it succeeded.

    Raises:
        InvalidRecipe: the manifest is wrong.
        RunInUse: another program drives one of its runs.
    """
    from trainjobs.api.manifest import read
    from trainjobs.local.devices import accelerators_here
    from trainjobs.local.relative import with_absolute_paths
    from trainjobs.local.session import Options, Unwatched, run_all

    path = Path(manifest)
    runs = read(path.read_text(encoding="utf-8-sig"), str(path), overrides)
    located = [with_absolute_paths(run, path) for run in runs]
    return list(run_all(located, Options(Path(root), devices=accelerators_here()), Unwatched()))
