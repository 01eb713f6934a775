"""What can be known of a run's data and model before it starts: are they there, and are first rows right."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from trainjobs.api.manifest import Fault
from trainjobs.api.runs import RewardModelRun, Run
from trainjobs.core.figures.asked import unmeasured
from trainjobs.core.recipe.support import unsupported
from trainjobs.errors import InvalidData, InvalidRecipe, ModelNotFound
from trainjobs.ml.data.jsonl import JsonLines
from trainjobs.ml.data.scored import ScoredRows

ROWS: Final = 20
"""Rows of each file that are looked at, by the reader that training reads them all with."""
_FILE: Final = "file://"


def support_faults(run: Run, manifest: Path) -> Iterator[tuple[int, Fault]]:
    """Yield what this version cannot do of what a run asks for, each with its exit code."""
    for one in unsupported(run):
        yield InvalidRecipe.exit_code, Fault(str(manifest), "", one.field, str(one))


def input_faults(run: Run, manifest: Path) -> Iterator[tuple[int, Fault]]:
    """Yield what is wrong with the files that a run names on this machine, each with its exit code.

    Args:
        run: the run.
        manifest: the file it stands in; relative paths start from its folder.
    """
    for field, words in unmeasured(run):
        yield _fault(InvalidRecipe.exit_code, manifest, field, words)
    # What the manifest says of all its data is wrong once, not once for every split.
    yield from dict.fromkeys(_data_faults(run, manifest))
    path = local_path(run.spec.base_model.uri, manifest)
    if path is not None and not (path / "config.json").is_file():
        words = "there is no config.json; give the folder of a model in Hugging Face format"
        yield _fault(ModelNotFound.exit_code, manifest, "spec.baseModel.uri", f"{path}: {words}")


def local_path(uri: str | None, manifest: Path) -> Path | None:
    """Return the path on this machine that a URI stands for; None where it stands for something elsewhere."""
    if uri is None or not uri.startswith(_FILE):
        return None
    return manifest.parent / unquote(uri.removeprefix(_FILE))


def _fault(code: int, manifest: Path, path: str, message: str) -> tuple[int, Fault]:
    return code, Fault(str(manifest), "", path, f"{path}: {message}")


def _data_faults(run: Run, manifest: Path) -> Iterator[tuple[int, Fault]]:
    for name in ("train", "eval", "test"):
        path = local_path(getattr(run.spec.dataset, name), manifest)
        if path is None:
            continue
        field = f"spec.dataset.{name}"
        try:
            for _ in _first_rows(path, run):
                pass
        except InvalidData as error:
            yield _fault(error.exit_code, manifest, field, str(error))
        except InvalidRecipe as error:
            yield error.exit_code, Fault(str(manifest), "", "spec.dataset", str(error))
        except OSError as error:
            words = f"{error.filename}: cannot be read ({error.strerror}); allow it, or name another"
            yield _fault(InvalidData.exit_code, manifest, field, words)


def _first_rows(path: Path, run: Run) -> Iterable[object]:
    """Read as training would; a script of the user's own, and files that are not JSONL, may hold anything."""
    spec = run.spec
    if path.exists() and spec.runtime.command:
        return ()
    if isinstance(run, RewardModelRun) and run.spec.objective.regression is not None:
        return ScoredRows(path, spec.dataset, run.spec.objective.regression.dimensions, first=ROWS)
    return () if path.is_file() and path.suffix != ".jsonl" else JsonLines(path, ROWS)
